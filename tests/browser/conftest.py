"""One running demo and one browser for all tests of this folder: the real platform, a simulated Internet, a handful of mails with every kind of fate."""

import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from estafette.mail.token import Keyring
from estafette.prepare.tokens import Sealer, tails

CHROMIUM = shutil.which("chromium") or ""
SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update", "--disable-sync"]
HTML = '<html><body><h1>Spring</h1><p>Hello</p><a href="https://shop.example/spring">Look</a><img src="https://shop.example/a.gif" alt=""></body></html>'
MAILS = [("jo@gmail.test", "Spring is here"), ("anna@orange.test", "Spring is here"), ("nobody@gmail.test", "Lost letter"), ("full@free.test", "Full box"),
         ("spam@yahoo.test", "Refused content")]  # fmt: skip


SETTLED_S = 60.0

expect.set_options(timeout=20_000)  # a busy machine is not a defect


@dataclass
class Town:
    """The running demo."""

    url: str
    password: str
    folder: Path
    numbers: dict[str, int]

    def unsubscribe_url(self, recipient: str) -> str:
        """What stands in List-Unsubscribe of a mail."""
        database = sqlite3.connect(f"file:{self.folder}/demo.db?mode=ro", uri=True)
        (secret,) = database.execute("SELECT value FROM installation WHERE name = 'tokens'").fetchone()
        database.close()
        seal = Sealer(Keyring(1, {1: bytes(secret)}), 1, "").unsubscribe(0, "")
        return f"{self.url}/u/{seal.head}{tails([seal], self.numbers[recipient])[0].decode()}"


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with running_demo(tmp_path_factory.mktemp("demo"), "--quiet") as made:
        yield made


@contextmanager
def running_demo(folder: Path, *switches: str) -> Iterator[Town]:
    """`estafette demo` on ports of its own, with our mails in it."""
    (folder / "e.toml").write_text(
        f'[database]\nurl = "sqlite:///{folder}/demo.db"\n[http]\nlisten = "127.0.0.1:0"\n[submission]\nlisten = ["127.0.0.1:0"]\n'
        '[inbound]\nlisten = ["127.0.0.1:0"]\n[server]\nworkers = 1\n'
    )
    command = [sys.executable, "-m", "estafette", "demo", *switches, "--config", str(folder / "e.toml")]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder) as process:
        assert process.stdout is not None
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("ready"):
                break
        try:
            found = re.search(r"Dashboard\s+(\S+)/app/\s+sign in as admin with (\S+)", told)
            keys = re.search(r"API key\s+(\S+)\s+secret\s+(\S+)", told)
            assert found and keys, told + (folder / "log").read_text()
            yield Town(found[1], found[2], folder, _sent(found[1], keys[1], keys[2]))
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _sent(url: str, key: str, secret: str) -> dict[str, int]:
    """Hand the mails over; recipient → message number."""
    messages = [{"From": {"Email": "news@demo.example", "Name": "Demo"}, "To": [{"Email": to}], "Subject": subject, "HTMLPart": HTML, "TextPart": "Hello",
                 "CustomCampaign": "Spring"} for to, subject in MAILS]  # fmt: skip
    answer = httpx2.post(f"{url}/v3.1/send", json={"Messages": messages}, auth=(key, secret), timeout=60)
    assert answer.status_code == 200, answer.text
    numbers = {entry["To"][0]["Email"]: entry["To"][0]["MessageID"] for entry in answer.json()["Messages"]}
    deadline = time.monotonic() + SETTLED_S
    while time.monotonic() < deadline:  # the one that bounces at once: what it blocks is looked at
        row = httpx2.get(f"{url}/v3/REST/message/{numbers['nobody@gmail.test']}", auth=(key, secret), timeout=60).json()["Data"][0]
        if row["Status"] == "hardbounced":
            return numbers
        time.sleep(0.1)
    raise AssertionError(f"nobody@gmail.test has not bounced: {row}")


@pytest.fixture(scope="module")  # its loop runs in this thread: no asynchronous test may come before it is closed
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        print("\n*** Chromium is not installed: the browser's tests are skipped (apt-get install chromium) ***", file=sys.stderr)
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield launched
        launched.close()


def signed_in(browser: Browser, town: Town, **options: object) -> Page:
    """A page of a browser in which the administrator has signed in."""
    page = browser.new_context(base_url=town.url, **options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(20_000)
    page.goto("/app/")
    page.get_by_label(re.compile("^(Name|Nom)$")).fill("admin")
    page.get_by_label(re.compile("^(Password|Mot de passe)$")).fill(town.password)
    page.get_by_role("button", name=re.compile("^(Sign in|Se connecter)$")).click()
    page.locator(".rail").wait_for()
    return page


@pytest.fixture(scope="module")
def desk(browser: Browser, town: Town) -> Page:
    """A page in English on a desk. What breaks the policy or throws fails the test that looks at it next."""
    page = signed_in(browser, town, locale="en-GB", viewport={"width": 1280, "height": 800})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return page


@pytest.fixture(autouse=True)
def no_trouble(request: pytest.FixtureRequest) -> Iterator[None]:
    """No script error and no breach of the content policy on any page of a test."""
    troubles: list[str] = []
    page: Page | None = request.getfixturevalue("desk") if "desk" in request.fixturenames else None
    if page is not None:
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text) if _is_breach(message.text) else None)
    yield
    assert troubles == []


def _is_breach(text: str) -> bool:
    """The remote image of the mail in the preview is to be blocked; anything else is ours."""
    return "Content Security Policy" in text and "shop.example/a.gif" not in text
