"""A form is made in the dashboard, somebody subscribes by it on a phone without script, confirms, and chooses what to receive. axe looks at every page."""

import re
import sqlite3
import time

from playwright.sync_api import Browser, Page, expect

from estafette.clock import SystemClock
from estafette.mail.token import Keyring
from estafette.prepare.tokens import Sealer, tails
from estafette.signup.tokens import make_confirm
from tests.browser.conftest import Town, browser, no_trouble, signed_in
from tests.browser.test_dashboard import AXE

__all__ = ["browser", "no_trouble"]
LEA = "lea@gmail.test"
SECOND_S = 2.5


def flaws(page: Page) -> list[tuple[str, str, list[str]]]:
    """What axe finds, and whether the page is wider than the phone."""
    page.evaluate(AXE)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    found = [(page.url, v["id"], [n["target"] for n in v["nodes"]][:3]) for v in result["violations"]]
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [*found, (page.url, f"{wide} px wide", [])] if wide > 320 else found


def secret_of(town: Town) -> Keyring:
    database = sqlite3.connect(f"file:{town.folder}/demo.db?mode=ro", uri=True)
    (secret,) = database.execute("SELECT value FROM installation WHERE name = 'tokens'").fetchone()
    database.close()
    return Keyring(1, {1: bytes(secret)})


def confirm_url(town: Town, address: str) -> str:
    """What stands in the mail that asks to confirm."""
    database = sqlite3.connect(f"file:{town.folder}/demo.db?mode=ro", uri=True)
    number, expires_at = database.execute("SELECT id, expires_at FROM opt_in WHERE address_key = ? ORDER BY id DESC", (address,)).fetchone()
    database.close()
    return f"{town.url}/s/{make_confirm(number, expires_at, secret_of(town))}"


def preferences_url(town: Town, address: str, language: str) -> str:
    """What stands in a newsletter."""
    seal = Sealer(secret_of(town), 1, "").unsubscribe(0, language)
    return f"{town.url}/p/{seal.head}{tails([seal], SystemClock().now_us(), address)[0].decode()}"


def make_form(page: Page, language: str) -> str:
    """In the dashboard, without script; where people find it."""
    page.goto("/app/1/lists")
    if page.get_by_role("link", name="Walks").count() == 0:
        page.get_by_label("Name").fill("Walks")
        page.get_by_role("button", name="Make").click()
    page.goto("/app/1/forms/new")
    page.get_by_label("Name, for you only").fill(f"Site {language}")
    page.locator("select[name=list]").select_option("Walks")
    page.locator("select[name=language]").select_option(language)
    page.locator("textarea[name=words]").fill("Yes, I want to hear of walks. / Oui, je veux les promenades.")
    page.locator("input[name=asks_name]").check()
    page.locator("input[name=author]").fill("news@demo.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The form was saved.")).to_be_visible()
    return page.locator("#form-url").inner_text()


def test_somebody_subscribes_confirms_and_chooses(browser: Browser, town: Town) -> None:
    desk = signed_in(browser, town, locale="en-GB", java_script_enabled=False)
    urls = {language: make_form(desk, language) for language in ("en", "fr")}
    words = {"en": ("Subscribe", "Look into your mailbox", "Confirm the subscription", "You are subscribed", "What you receive", "Save",
                    "Your choice is stored"),
             "fr": ("S’inscrire", "Consultez votre boîte", "Confirmer l’inscription", "Vous êtes inscrit", "Ce que vous recevez", "Enregistrer",
                    "Votre choix est enregistré")}  # fmt: skip
    found = []
    for language, scheme in (("en", "light"), ("fr", "dark")):
        options = {"color_scheme": scheme, "viewport": {"width": 320, "height": 640}, "locale": language, "bypass_csp": True}
        page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
        subscribe, asked, confirm, done, title, save, saved = words[language]
        address = f"{language}-{LEA}"
        page.goto(urls[language])
        found += flaws(page)
        page.get_by_role("button", name=subscribe).click()  # empty: the browser itself says so, without script
        expect(page).to_have_url(urls[language])
        page.locator("input[name=email]").fill(address)
        page.locator("input[name=agree]").check()
        time.sleep(SECOND_S)  # nobody fills in a form in less
        page.get_by_role("button", name=subscribe).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(asked)
        found += flaws(page)
        page.goto(confirm_url(town, address))
        found += flaws(page)
        page.get_by_role("button", name=confirm).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(done)
        page.goto(preferences_url(town, address, language))
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        found += flaws(page)
        expect(page.get_by_label("Walks")).to_be_checked()
        page.get_by_label("Walks").uncheck()
        page.locator("select[name=pause]").select_option("30")
        page.get_by_role("button", name=save, exact=True).click()
        expect(page.get_by_role("status")).to_have_text(re.compile(saved))
        expect(page.get_by_label("Walks")).not_to_be_checked()
        found += flaws(page)
        page.locator(".more a").click()  # my data
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        found += flaws(page)
        page.context.close()
    desk.goto("/app/1/forms")
    expect(desk.locator("main")).to_contain_text("Footer of the site")  # the demo brings one
    expect(desk.locator("main")).to_contain_text("Site fr")
    desk.locator("main").get_by_role("link", name="Site fr").click()
    expect(desk.locator("main")).to_contain_text("Confirmed1")
    desk.context.close()
    assert found == [], "\n".join(map(str, found))
