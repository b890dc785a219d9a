"""The shape of the house, kept by reading the source: who may import whom, which files are pure, who reads the clock, how long a file may be."""

import ast
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "estafette"
FILES = sorted(SRC.rglob("*.py"))

LINES: list[set[str]] = [
    {"__main__"},
    {"app", "cli"},
    {"web", "api", "demo"},
    {"signup"},
    {"newsletters"},
    {"accept", "deliver", "feedback"},
    {"prepare", "queue", "status", "stats"},
    {"store"},
    # the line "config, log, clock" of the architecture, with its small parts in their own order
    {"vault", "maillog", "webcall"},
    {"log", "config"},
    {"clock", "settings"},
    {"quantities", "webguard"},
    {"facts", "views"},
    {"model", "nouns", "audience", "parties"},
    {"mail"},
    {"rules"},
]
"""Architecture section 2, from top to bottom. Imports go down only; rooms on one line do not import each other (app and cli may)."""
LEVEL = {room: len(LINES) - number for number, line in enumerate(LINES) for room in line}

SHELL_MODULES = {"asyncio", "logging", "socket", "ssl", "time", "random", "os", "select", "selectors", "threading", "multiprocessing", "subprocess",
                 "sqlite3", "asyncpg", "concurrent", "signal", "sys", "tempfile", "shutil", "http", "uvicorn", "starlette", "uuid", "secrets", "rich",
                 "uvloop", "prometheus_client"}  # fmt: skip
"""What a pure file does not import, beside the store."""
CLOCK_CONSTANTS = {"SECOND_US", "DAY_US", "to_iso", "to_datetime"}
"""What a pure file may take from clock.py: units and formats, never the clock."""
SHELL: dict[str, set[str]] = {
    "": {
        "clock.py",
        "config.py",
        "log.py",
        "maillog.py",
        "vault.py",
        "webcall.py",
    },
    "mail": set(),
    "rules": set(),
    "prepare": set(),
    "status": set(),
    "stats": {
        "folder.py",
        "guard.py",
    },
    "queue": set(),
    "accept": {
        "credentials.py",
        "guarding.py",
        "incoming.py",
        "reception.py",
        "reports.py",
        "smtp.py",
        "submit.py",
    },
    "deliver": {
        "attempt.py",
        "beside.py",
        "connecting.py",
        "connection.py",
        "contents.py",
        "contracts.py",
        "dns.py",
        "domains.py",
        "engine.py",
        "flight_files.py",
        "holdings.py",
        "leasing.py",
        "membership.py",
        "path.py",
        "publishing.py",
        "rotation.py",
        "people.py",
        "router.py",
        "shaping_watch.py",
        "signing.py",
        "site.py",
        "sts.py",
        "sweeping.py",
        "warming.py",
        "tracking.py",
    },
    "demo": {
        "certificate.py",
        "customer.py",
        "internet.py",
        "names.py",
        "people.py",
    },
    "app": {
        "beside.py",
        "demo.py",
        "demo_traffic.py",
        "doors.py",
        "life.py",
        "parts.py",
        "retention.py",
        "sockets.py",
        "supervisor.py",
        "wake.py",
        "worker.py",
    },
    "feedback": {
        "handing.py",
        "holders.py",
        "http.py",
        "inbound.py",
        "permissions.py",
        "preferences.py",
        "routes.py",
        "unsubscribing.py",
        "visits.py",
        "wire.py",
    },
    "signup": {
        "book.py",
        "desk.py",
        "endpoints.py",
        "own_data_endpoints.py",
    },
    "newsletters": {
        "conductor.py",
        "desk.py",
        "importing.py",
        "jobs.py",
        "person.py",
    },
    "api": {
        "app.py",
        "body.py",
        "desk.py",
        "feed.py",
        "figures.py",
        "forms.py",
        "own.py",
        "preview.py",
        "rest/accounts.py",
        "rest/call.py",
        "rest/callbacks.py",
        "rest/campaigns.py",
        "rest/contacts.py",
        "rest/counters.py",
        "rest/happenings.py",
        "rest/jobs.py",
        "rest/lists.py",
        "rest/messages.py",
        "rest/newsletters.py",
        "rest/people.py",
        "rest/routes.py",
        "rest/senders.py",
        "rest/serving.py",
        "rest/table.py",
        "rest/templates.py",
        "rest/totals.py",
        "send.py",
        "webhooks/telling.py",
    },
    "web": {
        "activity.py",
        "blocks.py",
        "bulk.py",
        "campaigns.py",
        "contacts.py",
        "desk.py",
        "domains.py",
        "exporting.py",
        "figures.py",
        "first_admin.py",
        "forms.py",
        "importing.py",
        "lists.py",
        "live.py",
        "message.py",
        "newsletters.py",
        "onboarding.py",
        "overview.py",
        "passwords.py",
        "properties.py",
        "resending.py",
        "routes.py",
        "segments.py",
        "sending_queue.py",
        "settings.py",
        "signing_in.py",
        "statistics.py",
    },
    "cli": {
        "accounts.py",
        "auditing.py",
        "backup.py",
        "contacts.py",
        "examining.py",
        "explaining.py",
        "ground.py",
        "guard.py",
        "held.py",
        "importing.py",
        "messages.py",
        "newsletters.py",
        "pausing.py",
        "printing.py",
        "parsing.py",
        "privacy.py",
        "queue.py",
        "reasons.py",
        "reference.py",
        "rotating.py",
        "running.py",
        "shaping.py",
        "webhooks.py",
        "why.py",
        "users.py",
    },
}
"""The shell files of every room ("" = the files beside the rooms); all others are pure. The store is a shell as a whole and not in this table."""

CLOCK_MODULES = {"time", "random", "uuid", "secrets"}
CLOCK_CALLS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("os", "urandom"), ("os", "getrandom")}


def name_of(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def room_of(path: Path) -> str:
    parts = path.relative_to(SRC).parts
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_of(path: Path) -> list[tuple[str, str, int]]:
    """(module, name or "", line) of every import in the file, also those inside functions."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, "", node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import"
            found += [(node.module or "", alias.name, node.lineno) for alias in node.names]
    return found


def room_imported(module: str, name: str) -> str | None:
    """The room that an import leads to; None outside of estafette and for the package itself."""
    parts = [*module.split("."), name] if name else module.split(".")
    if parts[0] != "estafette" or len(parts) == 1 or parts[1].startswith("__"):
        return None
    return parts[1]


def ids(path: Path) -> str:
    return name_of(path)


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms <= set(LEVEL), f"not in the order of imports: {rooms - set(LEVEL)}"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_go_down_only(path: Path) -> None:
    own = room_of(path)
    if own == "__init__":
        assert not [m for m, n, _ in imports_of(path) if room_imported(m, n)], "the package itself imports nothing of ours"
        return
    for module, name, line in imports_of(path):
        room = room_imported(module, name)
        if room is None or room == own or (own == "cli" and room == "app"):
            continue
        assert room in LEVEL, f"{name_of(path)}:{line}: {module} is not a room"
        assert LEVEL[room] < LEVEL[own], f"{name_of(path)}:{line}: {own} must not import {room}"


def impurities(path: Path) -> list[str]:
    """Why a file is not pure; empty for a pure one."""
    found = []
    for module, name, line in imports_of(path):
        top = module.split(".")[0]
        if top in SHELL_MODULES:
            found.append(f"{line}: imports {module}")
        if room_imported(module, name) == "store":
            found.append(f"{line}: imports the store")
        if module == "estafette.clock" and name not in CLOCK_CONSTANTS:
            found.append(f"{line}: takes {name} from the clock")
        if room_imported(module, name) in {"vault", "maillog"}:
            found.append(f"{line}: imports {module}")
    found += [f"{node.lineno}: is asynchronous" for node in ast.walk(tree_of(path)) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    found += [f"{node.lineno}: opens a file" for node in ast.walk(tree_of(path))
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print", "input"}]  # fmt: skip
    return found


def files_of(room: str) -> list[Path]:
    return [path for path in FILES if (path.parent == SRC if room == "" else room_of(path) == room and path.parent != SRC)]


@pytest.mark.parametrize("room", SHELL)
def test_pure_files_are_pure_and_shell_files_are_listed(room: str) -> None:
    """Checked both ways: a file that does what only shells do is listed, and what is listed is there and does it."""
    folder = SRC / room
    found = {path.relative_to(folder).as_posix(): impurities(path) for path in files_of(room)}
    unlisted = {name: why for name, why in found.items() if why and name not in SHELL[room]}
    assert unlisted == {}, f"make them pure, or list them as shell files of {room or 'the house'} in this test"
    listed_in_vain = {name for name in SHELL[room] if not found.get(name)}
    assert listed_in_vain == set(), f"listed as shell, but pure or gone: {listed_in_vain}"


def test_every_room_is_in_the_table_of_shells() -> None:
    assert {room_of(path) for path in FILES if path.parent != SRC} <= {*SHELL, "store"}


@pytest.mark.parametrize("path", [p for p in FILES if name_of(p) != "clock.py"], ids=ids)
def test_only_the_clock_reads_time_and_chance(path: Path) -> None:
    wrong = [f"{line}: imports {module}" for module, _, line in imports_of(path) if module.split(".")[0] in CLOCK_MODULES]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr if isinstance(node.value, ast.Attribute) else ""
            if (owner, node.attr) in CLOCK_CALLS:
                wrong.append(f"{node.lineno}: {owner}.{node.attr}")
    assert wrong == []


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_a_long_file_says_why(path: Path) -> None:
    lines = path.read_text("utf-8").count("\n")
    doc = ast.get_docstring(tree_of(path)) or ""
    assert lines <= 400 or any(line.startswith("Size:") for line in doc.splitlines()), f"{lines} lines and no 'Size:' line in its docstring"


def test_the_checks_see_what_they_are_for(tmp_path: Path) -> None:
    """The instruments themselves: each kind of breach is found in a file that commits it."""
    breach = tmp_path / "breach.py"
    breach.write_text(
        "import asyncio\nfrom estafette.store.seam import Store\nfrom estafette import store\nfrom estafette.clock import Clock, DAY_US\n"
        "async def go():\n    import socket\n    open('x')\n"
    )
    assert impurities(breach) == ["1: imports asyncio", "2: imports the store", "3: imports the store", "4: takes Clock from the clock", "6: imports socket",
                                  "5: is asynchronous", "7: opens a file"]  # fmt: skip
    assert [room_imported(m, n) for m, n, _ in imports_of(breach)] == [None, "store", "store", "clock", "clock", None]
