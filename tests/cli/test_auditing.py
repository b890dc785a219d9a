"""Who changed what: every command is one that changes or one that reads, and those that change are told of."""

import json
from pathlib import Path

from estafette.cli.auditing import CHANGES, READS, told
from estafette.cli.reference import commands
from estafette.cli.root import root
from tests.cli.test_commands import Shell


def test_every_command_changes_or_reads() -> None:
    known = {" ".join(words) for words, _ in commands(root)}
    assert known == CHANGES | READS
    assert set() == CHANGES & READS


def test_changes_are_told(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("account", "add", "shop")
    shell("account", "list")
    shell("block", "add", "jo@example.com", "--account", "shop", "--reason", "asked")
    shell("account", "add", "shop", code=1)
    found = [json.loads(line) for line in shell("audit", "log", "--json").stdout.splitlines()]
    assert [(one["account"], one["what"]) for one in found] == [("shop", "account add"), ("shop", "block add")]
    assert found[0]["object"] == "name=shop" and found[0]["who"].startswith("command line of ")
    assert [one["id"] for one in shell.json("audit", "log", "--account", "shop", "--after", str(found[0]["id"]))] == [found[1]["id"]]
    assert "block add" in shell("audit", "log").stdout
    assert json.loads(shell("audit", "--json").stdout)["difference"] == 0


def test_passwords_are_not_told() -> None:
    assert told({"url": "https://me:secret@x.test/h", "version": 2, "is_json": True, "backup": False}) == "url=https://***@x.test/h version=2"
