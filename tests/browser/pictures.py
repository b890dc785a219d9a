"""The pictures of the documentation: a demo with its newsletter for a minute, then the main screens into docs/images.

    python -m tests.browser.pictures
"""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, SWITCHES, running_demo, signed_in

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WAIT_MS = 60_000
DESK = {"width": 1280, "height": 860}


def main() -> None:
    """Take them."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as town, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page = signed_in(browser, town, locale="en-GB", viewport=DESK)
        page.wait_for_timeout(WAIT_MS)
        number = town.numbers["nobody@gmail.test"]
        for name, path in [("dashboard", "?period=24h"), ("activity", "activity"), ("message", f"messages/{number}"), ("statistics", "statistics?period=24h"),
                           ("campaign", "campaigns/1"), ("domain", "domains/demo.example")]:  # fmt: skip
            page.goto(f"/app/1/{path}")
            if name == "message":
                page.get_by_text("Show the SMTP dialogue").click()
            page.wait_for_timeout(500)
            page.screenshot(path=IMAGES / f"{name}.png")
        for name, path, options in [("tableau-de-bord", "?period=24h", {"viewport": DESK}),
                                    ("dashboard-dark", "?period=24h", {"viewport": DESK, "color_scheme": "dark"}),
                                    ("phone", "activity", {"viewport": {"width": 390, "height": 800}})]:  # fmt: skip
            other = signed_in(browser, town, locale="fr-FR" if name == "tableau-de-bord" else "en-GB", **options)
            other.goto(f"/app/1/{path}")
            other.wait_for_timeout(500)
            other.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
