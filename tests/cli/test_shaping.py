"""`estafette shaping ...` on a temporary database: what people and scripts read."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from estafette.cli.root import root
from estafette.clock import SECOND_US, SystemClock, to_datetime
from estafette.model import LANES, Door, NewMessage, Options, Outcome, OutcomeKind, Reason, Scope, Settlement, State, Submission
from estafette.nouns import PathReport, WorkerReport
from estafette.store.database import Database
from estafette.store.seam import Want
from tests.cli.test_commands import Shell

NOW = SystemClock().now_us() - 3600 * SECOND_US


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def shaped(shell: Shell, text: str) -> str:
    """A shaping file in force; its name."""
    file = shell.folder / "shaping.toml"
    file.write_text(text)
    with shell.file.open("a") as config:
        config.write(f'[delivery]\nsources = ["192.0.2.1", "192.0.2.9"]\nshaping_file = "{file}"\n')
    return str(file)


def run(shell: Shell, *words: str) -> Result:
    return CliRunner().invoke(root, [*words, "--config", str(shell.file)], env={"COLUMNS": "200"})


def test_explain_says_what_holds_and_who_said_so(shell: Shell) -> None:
    file = shaped(shell, '[provider.google]\nconnections = 4\n[provider.google.source."192.0.2.9"]\nmessage_rate = "10/min"\n')
    google = ("--mx", "gmail-smtp-in.l.google.com", "--mx", "ALT1.gmail-smtp-in.l.google.com.")
    told = shell("shaping", "explain", "gmail.com", *google, "--source", "192.0.2.9").output
    assert "provider: google" in told
    assert f"{file}:2" in told and f"{file}:4" in told
    assert "limited by message_rate" in told
    found: dict[str, Any] = shell.json("shaping", "explain", "gmail.com", *google)[0]
    limits = {row["limit"]: row for row in found["limits"]}
    assert limits["connections"] == {"limit": "connections", "value": 4, "shown": "4", "from": "provider google", "where": f"{file}:2",
                                     "instead_of": ["default: 20"]}  # fmt: skip
    assert limits["message_rate"]["value"] is None
    assert found["throughput"][0]["bound"] == "connections"
    assert found["throughput"][0]["messages_per_s"] == pytest.approx(4 * 50 / (0.3 + 50 * 0.3), abs=0.01)
    assert found["rules"] == ["google_unusual_rate"]


def test_explain_names_the_configuration_when_it_caps(shell: Shell) -> None:
    with shell.file.open("a") as config:
        config.write("[delivery]\nconnections = 3\n")
    found = shell.json("shaping", "explain", "example.com", "--mx", "mx.example.com")[0]
    assert found["provider"] is None
    assert found["limits"][0] == {"limit": "connections", "value": 3, "shown": "3", "from": "configuration", "where": "delivery.connections",
                                  "instead_of": ["default: 20"]}  # fmt: skip


def test_check_tells_every_problem_with_its_line(shell: Shell) -> None:
    wrong = shell.folder / "wrong.toml"
    wrong.write_text("[default]\nconnections = 0\n[provider.gogle]\nburst = 1\n")
    result = run(shell, "shaping", "check", str(wrong))
    assert result.exit_code == 1
    assert f"{wrong}:2: default.connections: must be between 1 and 1000, not 0" in result.output
    assert f"{wrong}:3: provider.gogle" in result.output and "did you mean google?" in result.output
    assert run(shell, "shaping", "check", str(shell.folder / "nowhere.toml")).exit_code == 1
    assert run(shell, "shaping", "check").exit_code == 2, "no file is configured and none was named"


def test_check_of_a_good_file_counts_what_it_says_and_warns(shell: Shell) -> None:
    file = shaped(shell, '[default]\nburst = 3\n[pool.default]\nsources = ["192.0.2.1", "192.0.2.77"]\n')
    told = shell("shaping", "check").output
    assert f"{file}: ok" in told
    assert "192.0.2.77 is not in delivery.sources" in told and "192.0.2.1 is not" not in told
    assert shell.json("shaping", "check")[0]["pools"] == 1


def test_a_wrong_file_in_force_stops_the_other_commands_with_usage(shell: Shell) -> None:
    file = shaped(shell, "[default]\nconections = 3\n")
    result = run(shell, "shaping", "explain", "example.com", "--mx", "mx.example.com")
    assert result.exit_code == 2
    assert f"{file}:2: default.conections: unknown key; did you mean connections?" in result.output
    result = run(shell, "serve")
    assert result.exit_code == 2, "nothing is started"
    assert f"{file}:2: default.conections: unknown key; did you mean connections?" in result.output


def test_explain_tells_what_limits_it_now(shell: Shell) -> None:
    path = PathReport("mx.example.com", "", "", 2, 2, 20, 0.0, 1.5, 40, 2, held_by="window", said_by="three refusals", reply="421 busy")

    async def work(store: Database) -> None:
        worker = await store.join("one", NOW, NOW + 3600 * SECOND_US)
        await store.standing.put(worker.id, WorkerReport(str(worker.id), NOW, (path, replace(path, site="mx.elsewhere.com")), (), ()))

    assert "now:" not in shell("shaping", "explain", "example.com", "--mx", "mx.example.com").output
    shell.seed(work)
    told = shell("shaping", "explain", "example.com", "--mx", "mx.example.com").output
    assert "now: The path to mx.example.com has 2 connections for now: three refusals after: 421 busy. 2 of 2 connections (at most 20), 40 ready" in told
    (found,) = shell.json("shaping", "explain", "example.com", "--mx", "mx.example.com")
    assert [(row["site"], row["held_by"], row["ready"]) for row in found["now"]] == [("mx.example.com", "window", 40)]


def seed(shell: Shell, at: int, replies: list[tuple[OutcomeKind, int, str]], host: str = "mta5.am0.yahoodns.net", source: str = "192.0.2.9") -> None:
    """Attempts that a server answered, one message each, a minute apart."""
    shell("account", "add", "shop")

    async def work(store: Database) -> None:
        account = await store.account("shop")
        assert account is not None
        worker = await store.join("w", at, at + 10**12)
        for number, (kind, code, text) in enumerate(replies):
            now = at + number * 60 * SECOND_US
            message = NewMessage(1000 + number, f"p{number}@yahoo.example", f"p{number}@yahoo.example", "yahoo.example", State.QUEUED)
            author = "s@example.com"
            await store.accept(Submission(2000 + number, account.id, Door.SMTP, author, author, "", Options(), now, now, now + 10**12, b"x", (message,)))
            (claim,) = await store.claim(worker.id, [Want("", (1,) * LANES)], now)
            reason = Reason("", "") if kind is OutcomeKind.DELIVERED else Reason("spam", "policy issue")
            retry_at = now + 10**12 if kind is OutcomeKind.DEFERRED else 0
            outcome = Outcome(kind, now, reply=text, code=code, stage="mail", host=host, source=source, reason=reason, scope=Scope.PATH,
                              category="rate_limited", retry_at=retry_at, lane=2, site="s")  # fmt: skip
            await store.settle(Settlement(claim, outcome))
        await store.retire(worker.id, at, ())

    shell.seed(work)


BUSY = (OutcomeKind.DEFERRED, 421, "421 4.7.0 busy, come back tomorrow")
SENT = (OutcomeKind.DELIVERED, 250, "250 2.0.0 ok")


def test_rehearse_runs_proposed_rules_over_recorded_replies(shell: Shell) -> None:
    seed(shell, NOW, [SENT, BUSY, BUSY, SENT, BUSY])
    new = shell.folder / "new.toml"
    new.write_text('[[rule]]\nname = "tomorrow"\nproviders = ["yahoo"]\ntext = ["come back tomorrow"]\nafter = "2/h"\nsuspend = "path"\nfor = "1h"\n'
                   '[provider.yahoo]\nmessage_rate = "1/h"\n')  # fmt: skip
    found = shell.json("shaping", "rehearse", str(new))[0]
    assert (found["attempts"], found["failed"]) == (5, 3)
    rule = next(r for r in found["rules"] if r["name"] == "tomorrow")
    assert (rule["change"], rule["begun"], rule["spared"], rule["held"]) == ("new", 1, 1, 1)
    assert found["limits"][0]["field"] == "messages_per_s" and found["limits"][0]["held"] == 4
    told = shell("shaping", "rehearse", str(new)).output
    assert "5 attempts, 3 of them failed" in told and "tomorrow" in told and "1/h" in told
    later = to_datetime(NOW + 2 * 3600 * SECOND_US).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert shell.json("shaping", "rehearse", str(new), "--from", later)[0]["attempts"] == 0
    new.write_text("nonsense")
    assert "not valid TOML" in shell("shaping", "rehearse", str(new), code=1).output


def test_forecast_begins_where_the_source_stands(shell: Shell) -> None:
    yesterday = NOW - 86_400 * SECOND_US
    started = to_datetime(yesterday).date()
    seed(shell, yesterday - yesterday % (86_400 * SECOND_US) + 3600 * SECOND_US, [SENT] * 12)
    shaped(shell, f'[warmup."192.0.2.9"]\nstarted = {started}\nfirst_day = 10\ngrowth = 2\n')
    found = shell.json("shaping", "warmup", "forecast", "192.0.2.9", "--provider", "yahoo", "--volume", "70")[0]
    days = (to_datetime(SystemClock().now_us()).date() - started).days
    assert days in (1, 2)
    assert found["cap_today"] == 20, found
    assert [(d["carried"], d["overflow"]) for d in found["days"]] == [(20, 50), (40, 30), (70, 0)]
    told = shell("shaping", "warmup", "forecast", "192.0.2.9", "--provider", "yahoo", "--volume", "70").output
    assert "it carries all 70 a day from day 3 on" in told


def test_forecast_of_a_new_source_and_of_what_does_not_exist(shell: Shell) -> None:
    found = shell.json("shaping", "warmup", "forecast", "--volume", "60")[0]
    assert [d["carried"] for d in found["days"]] == [50, 60]
    assert "there is no provider" in shell("shaping", "warmup", "forecast", "--volume", "60", "--provider", "gogle", code=3).output
    assert "there is no [warmup" in shell("shaping", "warmup", "forecast", "192.0.2.9", "--volume", "60", code=3).output
    assert json.loads(run(shell, "shaping", "warmup", "forecast", "--volume", "10", "--json").stdout)["warm_on_day"] == 1
