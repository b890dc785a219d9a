"""`estafette guard ...` on a temporary database."""

from pathlib import Path

from estafette.facts import Cause, GuardOrder, Step, Stream
from tests.cli.test_commands import NOW, Shell


def test_orders_are_shown_and_lifted_with_a_reason(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("account", "add", "shop")
    assert "nothing to say" in shell("guard", "show").output
    shell.seed(lambda store: store.guard.order(GuardOrder(1, Stream.BULK, Step.STOP, Cause.SPAM, 9, 1000, 0, NOW), "why"))
    (shown,) = shell.json("guard", "show", "--account", "shop")
    assert (shown["account"], shown["stream"], shown["step"], shown["cause"], shown["held"]) == ("shop", "bulk", "stop", "spam", 0)
    assert "stopped until a person lifts it" in shell("guard", "show").output
    shell("guard", "lift", "1", code=2)
    assert shell.json("guard", "lift", "1", "--reason", "cleaned")[0]["reason"] == "cleaned"
    shell("guard", "lift", "1", "--reason", "cleaned", code=3)
    assert shell.json("guard", "show") == []
    assert "cleaned" in shell("guard", "show", "--all").output
