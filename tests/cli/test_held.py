"""queue held, release and drop on a temporary SQLite database."""

from pathlib import Path

import pytest

from estafette.clock import DAY_US, SECOND_US
from estafette.model import LANES, Door, NewMessage, Options, Outcome, OutcomeKind, Settlement, State, Submission
from estafette.store.database import Database
from estafette.store.seam import Want
from tests.cli.test_commands import NOW, Shell


@pytest.fixture
def holding(tmp_path: Path) -> Shell:
    """An account that holds what is uncertain, with four such messages."""
    shell = Shell(tmp_path)
    shell("account", "add", "shop")
    assert shell.json("account", "set", "shop", "--uncertain", "hold")[0]["uncertain"] == "hold"

    async def work(store: Database) -> None:
        account = await store.account("shop")
        assert account
        messages = tuple(NewMessage(n, f"r{n}@x.test", f"r{n}@x.test", "x.test", State.QUEUED, site="mx") for n in (1, 2, 3, 4))
        await store.accept(Submission(1, account.id, Door.SMTP, "b@a.test", "news@a.test", "Hello", Options(), NOW, NOW, NOW + 3 * DAY_US, b"\r\nx", messages))
        worker = await store.join("test", NOW, NOW + 30 * SECOND_US)
        for claim in await store.claim(worker.id, [Want("mx", (9,) * LANES)], NOW):
            await store.settle(Settlement(claim, Outcome(OutcomeKind.DEFERRED, NOW, "connection lost", stage="body", is_uncertain=True, retry_at=NOW)))
        await store.retire(worker.id, NOW, ())

    shell.seed(work)
    return shell


def states(shell: Shell) -> dict[str, str]:
    return {m["to"]: m["state"] for m in shell.json("message", "list")}


def test_deciding(holding: Shell) -> None:
    assert [(m["id"], m["to"], m["uncertain"]) for m in holding.json("queue", "held")] == [(n, f"r{n}@x.test", 1) for n in (1, 2, 3, 4)]
    assert "held until a person decides" in holding("message", "show", "1").stdout
    assert holding.json("message", "why", "1")[0]["holds"] == "held"
    assert holding.json("queue", "release", "1") == [{"released": 1}]
    assert holding.json("queue", "drop", "2", "--delivered") == [{"dropped": 1, "delivered": True}]
    assert "1 message given up" in holding("queue", "drop", "3").stdout
    assert states(holding) == {"r1@x.test": "deferred", "r2@x.test": "delivered", "r3@x.test": "soft_bounced", "r4@x.test": "deferred"}
    assert holding.json("queue", "release", "--account", "shop") == [{"released": 1}]
    assert "nothing is held" in holding("queue", "held").stdout
    assert holding.json("audit")[0]["difference"] == 0


@pytest.mark.parametrize("words", [(), ("1", "--all"), ("--account", "shop", "--all")])
def test_which_ones_must_be_said_once(holding: Shell, words: tuple[str, ...]) -> None:
    for verb in ("release", "drop"):
        assert "say which" in holding("queue", verb, *words, code=2).output


def test_what_is_not_held(holding: Shell) -> None:
    holding("queue", "release", "99", code=3)
    holding("queue", "held", "--account", "nobody", code=3)
    assert holding.json("queue", "release", "--all") == [{"released": 4}]
    assert holding.json("queue", "drop", "--all") == [{"dropped": 0, "delivered": False}]
