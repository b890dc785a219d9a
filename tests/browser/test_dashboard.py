"""The main journeys in a real browser, and axe on every page in both languages."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Town, signed_in

AXE = (Path(__file__).parent / "axe.min.js").read_text()
PAGES = ["", "start", "activity", "activity?status=hard_error&period=7d", "campaigns", "campaigns/1", "statistics?period=24h", "blocks", "domains",
         "domains/demo.example", "queue", "exports", "settings/keys", "settings/users", "settings/webhooks", "settings/tracking", "settings/retention",
         "settings/audit", "lists", "contacts", "segments", "forms", "forms/new", "properties", "imports", "newsletters"]  # fmt: skip


def test_a_message_is_found_and_its_story_is_told(desk: Page, town: Town) -> None:
    desk.goto("/app/1/")
    expect(desk.get_by_role("heading", name="Dashboard")).to_be_visible()
    desk.keyboard.press("/")
    expect(desk.locator("#find")).to_be_focused()
    desk.keyboard.type("nobody@gmail.test")
    desk.keyboard.press("Enter")
    desk.wait_for_url("**/activity?text=nobody*")
    desk.locator("#log tbody a.row").first.click()
    story = desk.locator("#story")
    expect(story.get_by_role("heading", name="Attempt 1: permanent error")).to_be_visible(timeout=30_000)  # live: nobody reloads
    expect(story).to_contain_text("Unknown address")
    expect(story).to_contain_text("user unknown")
    story.get_by_text("Show the SMTP dialogue").click()
    expect(story).to_contain_text("We name the recipient.")
    frame = desk.frame_locator("iframe.mail")
    expect(frame.get_by_role("heading", name="Spring")).to_be_visible()


def test_an_address_is_unblocked_with_a_reason(desk: Page, town: Town) -> None:
    desk.goto("/app/1/blocks?text=nobody@gmail.test")
    row = desk.locator("tbody tr", has_text="nobody@gmail.test")
    expect(row).to_contain_text("Permanent error")
    row.get_by_text("Unblock").first.click()
    row.get_by_label("Reason").fill("typed wrong")
    row.get_by_role("button", name="Unblock").click()
    expect(desk.get_by_role("status")).to_contain_text("The address is unblocked")
    desk.goto("/app/1/settings/audit")
    expect(desk.locator("tbody")).to_contain_text("typed wrong")


def test_a_domain_is_added_and_its_records_are_looked_up(desk: Page, town: Town) -> None:
    desk.goto("/app/1/domains")
    desk.get_by_label("Domain", exact=True).fill("shop.example")
    desk.get_by_role("button", name="Add").click()
    expect(desk.get_by_role("heading", name="shop.example")).to_be_visible()
    expect(desk.locator("#records")).to_contain_text("missing")
    desk.locator("#records").get_by_role("button", name="Copy").first.click()
    assert "shop.example" in desk.evaluate("navigator.clipboard.readText()")


def test_filters_work_at_once_and_stand_in_the_address(desk: Page, town: Town) -> None:
    desk.goto("/app/1/activity")
    desk.locator("label.pick", has_text="Permanent error").click()
    desk.wait_for_url("**status=hard_error*")
    expect(desk.locator("#log tbody tr").first).to_contain_text("Permanent error")
    expect(desk.get_by_label("Active filters")).to_contain_text("Permanent error")


def test_an_export_is_made_and_downloaded(desk: Page, town: Town) -> None:
    desk.goto("/app/1/activity")
    desk.get_by_role("button", name="CSV").click()
    link = desk.get_by_role("link", name=re.compile("Download"))
    expect(link).to_be_visible(timeout=30_000)
    with desk.expect_download() as download:
        link.click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert text.splitlines()[0].startswith("id,accepted_at,to") and "nobody@gmail.test" in text


def test_a_recipient_unsubscribes_and_comes_back(browser: Browser, town: Town) -> None:
    for locale, ask, button, done in [("en-GB", "Unsubscribe", "Unsubscribe", "You are unsubscribed"),
                                      ("fr-FR", "Vous êtes désabonné", "Annuler", "de nouveau")]:  # fmt: skip
        page = browser.new_context(locale=locale, java_script_enabled=False, viewport={"width": 320, "height": 640}).new_page()
        page.goto(town.unsubscribe_url("jo@gmail.test"))
        expect(page.get_by_role("heading", level=1)).to_contain_text(ask)
        page.get_by_role("button", name=re.compile(button)).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(done)
        page.context.close()


def test_without_script_everything_is_there(browser: Browser, town: Town) -> None:
    page = signed_in(browser, town, locale="fr-FR", java_script_enabled=False)
    page.get_by_role("button", name=re.compile("Français")).first.click()
    expect(page.get_by_role("heading", name="Tableau de bord")).to_be_visible()
    page.get_by_role("link", name="Activité").first.click()
    page.get_by_label("Rechercher", exact=True).fill("nobody@gmail.test")
    page.get_by_role("button", name="Appliquer").click()
    page.locator("#log tbody a.row").first.click()
    expect(page.locator("#story")).to_contain_text("Adresse inconnue")
    page.get_by_role("button", name=re.compile("English")).first.click()
    expect(page.locator("#story")).to_contain_text("Unknown address")
    page.context.close()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(desk: Page, town: Town, language: str) -> None:
    desk.goto("/app/1/")
    desk.locator(f"button[value={language}]").first.click()
    expect(desk.locator("html")).to_have_attribute("lang", language)
    found = []
    pages = [f"/app/1/{path}" for path in PAGES] + ["/app/me", "/app/users", "/app/99/", f"/app/1/messages/{town.numbers['nobody@gmail.test']}"]
    for path in pages:
        desk.goto(path)
        found += flaws(desk)
    assert found == [], "\n".join(map(str, found))


def flaws(desk: Page) -> list[tuple[str, str, list[str]]]:
    """What axe finds on the page, and whether it is wider than a phone."""
    desk.evaluate(AXE)
    result = desk.evaluate("axe.run(document, {iframes: false, resultTypes: ['violations']})")
    found = [(desk.url, v["id"], [n["target"] for n in v["nodes"]][:3]) for v in result["violations"]]
    desk.set_viewport_size({"width": 320, "height": 640})
    wide = desk.evaluate("document.documentElement.scrollWidth")
    if wide > 320:
        found.append((desk.url, f"{wide} px wide", []))
    desk.set_viewport_size({"width": 1280, "height": 800})
    return found


def test_a_file_becomes_a_list_and_the_list_gets_a_newsletter(desk: Page, town: Town) -> None:
    desk.goto("/app/1/lists")
    desk.locator("button[value=en]").first.click()
    expect(desk.locator("html")).to_have_attribute("lang", "en")
    desk.get_by_label("Name").fill("Readers")
    desk.get_by_role("button", name="Make").click()
    found = flaws(desk)
    desk.goto("/app/1/imports")
    desk.get_by_label("File").set_input_files({"name": "people.csv", "mimeType": "text/csv", "buffer": b"email,town\njo@gmail.test,Lyon\nnobody,Paris\n"})
    desk.get_by_role("button", name="Upload").click()
    expect(desk.get_by_role("heading", name="Look at the import")).to_be_visible()
    found += flaws(desk)
    desk.locator("select[name=list]").select_option("Readers")
    desk.get_by_role("button", name="Begin").click()
    expect(desk.locator("#job")).to_contain_text("done")
    expect(desk.locator("#job")).to_contain_text("nobody")
    found += flaws(desk)
    desk.goto("/app/1/contacts?address=jo@gmail.test")
    found += flaws(desk)
    desk.goto("/app/1/newsletters")
    desk.locator("input[name=title]").fill("June")
    desk.get_by_role("button", name="Write").click()
    desk.get_by_label("Author’s address").fill("news@demo.example")
    desk.locator("input[name=subject]").fill("June is here")
    desk.locator("select[name=list]").select_option("Readers")
    desk.locator("textarea[name=html]").fill("<p>Hello {{data:firstname:\"you\"}}</p>")
    found += flaws(desk)
    desk.get_by_role("button", name="Save and check").click()
    expect(desk.locator("main")).to_contain_text("no link to unsubscribe")
    found += flaws(desk)
    desk.get_by_role("link", name="Sending", exact=True).click()
    desk.get_by_role("button", name="Send", exact=True).click()
    desk.get_by_role("button", name="Call it back").click()
    expect(desk.locator("#state")).to_contain_text("draft")
    found += flaws(desk)
    assert found == [], "\n".join(map(str, found))


def test_axe_finds_nothing_at_the_door(browser: Browser, town: Town) -> None:
    for scheme in ("light", "dark"):
        page = browser.new_context(base_url=town.url, color_scheme=scheme, bypass_csp=True).new_page()  # type: ignore[arg-type]
        for path in ("/app/sign-in", town.unsubscribe_url("anna@orange.test")):
            page.goto(path)
            page.evaluate(AXE)
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in result["violations"]] == []
        page.context.close()
