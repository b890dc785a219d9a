"""The real commands on a temporary SQLite database: shapes of `--json`, words for people, exit codes."""

import asyncio
import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization

from estafette.cli.root import root
from estafette.clock import DAY_US, SECOND_US, ManualClock, SystemClock
from estafette.config import load
from estafette.model import (
    LANES,
    Door,
    EventKind,
    NewMessage,
    Options,
    Outcome,
    OutcomeKind,
    Reason,
    Settlement,
    State,
    Submission,
)
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store
from estafette.store.seam import Want
from estafette.vault import dkim_label, open_vault

NOW = SystemClock().now_us() - 60 * SECOND_US


class Shell:
    """Runs `estafette ...` in this process against one database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/mail.db"
        self.file = folder / "estafette.toml"
        self.file.write_text(f'[server]\nhostname = "mail.example.com"\n[database]\nurl = "{self.url}"\n[tracking]\nurl = "https://t.example.com"\n')

    def __call__(self, *words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(root, [*words, "--config", str(self.file)], env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    def json(self, *words: str, code: int = 0) -> list[Any]:
        return [json.loads(line) for line in self(*words, "--json", code=code).stdout.splitlines()]

    def seed(self, work: Callable[[Database], Awaitable[None]]) -> None:
        async def run() -> None:
            store = await open_store(self.url, StatusPolicy(), ManualClock(NOW))
            await work(store)
            await store.close()

        asyncio.run(run())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def busy(shell: Shell) -> Shell:
    """An account with messages in every state."""
    shell("account", "add", "shop")

    async def work(store: Database) -> None:
        account = await store.account("shop")
        assert account
        people = ["ann", "bob", "cec", "dan", "eve", "fay"]
        messages = tuple(NewMessage(n, f"{who}@example.net", f"{who}@example.net", "example.net", State.QUEUED, site="mx.example.net")
                         for n, who in enumerate(people, 1))  # fmt: skip
        options = Options(campaign="spring", custom_id="c-1")
        body = b"Subject: Hello\r\n\r\nBody\r\n"
        subject = "Hello \x1b[2J"
        await store.accept(Submission(1, account.id, Door.SMTP, "b@a.test", "news@a.test", subject, options, NOW, NOW, NOW + 3 * DAY_US, body, messages))
        worker = await store.join("test", NOW, NOW + 30 * SECOND_US)
        ann, bob, cec, dan, eve = await store.claim(worker.id, [Want("mx.example.net", (5,) * LANES)], NOW)
        good = Outcome(OutcomeKind.DELIVERED, NOW + 1, reply="250 2.0.0 kept", code=250, host="mx.example.net", address="192.0.2.7", tls="TLSv1.3",
                       transcript="S: 220 hi\nC: EHLO x")  # fmt: skip
        await store.settle(Settlement(ann, good))
        await store.settle(Settlement(bob, good))
        await store.record(2, EventKind.OPENED, NOW + 5, "", {}, Reason())
        await store.record(2, EventKind.CLICKED, NOW + 6, "", {"url": "https://example.com/"}, Reason())
        later = replace(good, kind=OutcomeKind.DEFERRED, reply="451 4.7.1 greylisted \x1b]0;x\x07", stage="rcpt", retry_at=NOW + DAY_US,
                        reason=Reason("domain", "greylisted"))  # fmt: skip
        await store.settle(Settlement(cec, later))
        gone = replace(good, kind=OutcomeKind.BOUNCED, reply="550 5.1.1 no such user", stage="rcpt", is_permanent=True, blocks_address=True,
                       reason=Reason("recipient", "user unknown"))  # fmt: skip
        await store.settle(Settlement(dan, gone))
        assert eve.recipient == "eve@example.net"

    shell.seed(work)
    return shell


def test_an_account_gets_a_key_whose_secret_only_its_hash_is_kept_of(shell: Shell) -> None:
    (made,) = shell.json("account", "add", "shop")
    assert set(made) == {"account", "key", "secret"}
    assert (made["account"], len(made["key"]), len(made["secret"])) == ("shop", 32, 64)
    (second,) = shell.json("key", "add", "--account", "shop")
    assert set(second) == {"key", "secret"}

    async def look(store: Database) -> None:
        for one in (made, second):
            found = await store.credential(one["key"])
            assert found
            assert found.secret_sha256 == hashlib.sha256(one["secret"].encode()).digest()

    shell.seed(look)
    assert made["secret"].encode() not in (shell.folder / "mail.db").read_bytes()
    assert shell.json("account", "list") == [{"account": "shop", "active": True, "rate_per_s": 0, "failure_reports": False}]
    assert "already an account 'shop'" in shell("account", "add", "shop", code=1).stderr


def test_a_domain_gets_a_sealed_key_and_its_records(shell: Shell) -> None:
    shell("account", "add", "shop")
    (made,) = shell.json("domain", "add", "Example.COM", "--account", "shop", "--verified")
    assert made["domain"] == "example.com"
    records = {(r["purpose"], r["type"]): r for r in made["records"]}
    selector = records["dkim", "TXT"]["name"].split("._domainkey.")[0]
    assert records["dkim", "TXT"]["name"] == f"{selector}._domainkey.example.com"
    assert records["spf", "TXT"]["value"] == "v=spf1 a:mail.example.com ~all"
    assert records["dmarc", "TXT"] == {"type": "TXT", "name": "_dmarc.example.com", "value": "v=DMARC1; p=none", "purpose": "dmarc"}
    assert (records["return_path", "MX"]["name"], records["return_path", "MX"]["value"]) == ("bounces.mail.example.com", "10 mail.example.com")
    assert (records["tracking", "CNAME"]["name"], records["tracking", "CNAME"]["value"]) == ("t.example.com", "mail.example.com")
    assert ("ownership", "TXT") not in records

    async def look(store: Database) -> None:
        account = await store.account("shop")
        assert account
        (key,) = await store.dkim_keys(account.id, "example.com")
        der = open_vault(load(shell.file, {}), ManualClock()).unseal(key.sealed_private_key, dkim_label("example.com", selector))
        private = serialization.load_der_private_key(der, None)
        public = private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        import base64

        assert records["dkim", "TXT"]["value"] == "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
        assert (await store.authors(account.id)).domains == {"example.com"}

    shell.seed(look)
    assert shell.json("domain", "add", "example.com", "--verified")[0] == made  # again: the same key, the same records
    (listed,) = shell.json("domain", "list")
    assert (listed["domain"], listed["account"], listed["records"]) == ("example.com", "shop", made["records"])


def test_an_unverified_domain_is_told_how_to_prove_itself_and_may_not_write(shell: Shell) -> None:
    shell("account", "add", "shop")
    (made,) = shell.json("domain", "add", "bücher.example")
    ownership = made["records"][0]
    assert (ownership["purpose"], ownership["name"]) == ("ownership", "_estafette.xn--bcher-kva.example")
    assert shell.json("domain", "add", "bücher.example")[0] == made
    assert shell.json("domain", "list") == []


def test_the_wrong_master_key_is_named(shell: Shell) -> None:
    shell("account", "add", "shop")
    shell("domain", "add", "example.com", "--verified")
    (shell.folder / "mail.key").unlink()
    assert "sealed with another master key" in shell("domain", "list", code=1).stderr


def test_senders(shell: Shell) -> None:
    shell("account", "add", "shop")
    assert shell.json("sender", "add", "News@Example.com", "--verified") == [{"address": "News@example.com", "account": "shop", "verified": True}]
    shell("sender", "add", "later@example.com")
    assert shell.json("sender", "list") == [{"address": "news@example.com", "account": "shop", "verified": True}]


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ([], [1, 2, 3, 4, 5, 6]),
        (["--status", "sent"], [1]),
        (["--status", "delivered"], [1, 2]),
        (["--status", "clicked"], [2]),
        (["--status", "opened"], []),
        (["--status", "deferred"], [3]),
        (["--status", "hardbounced"], [4]),
        (["--status", "hard_bounced"], [4]),
        (["--status", "queued"], [5, 6]),  # under way and waiting are the same to the API
        (["--to", "BOB@example.net"], [2]),
        (["--to", "nobody@example.net"], []),
        (["--limit", "2"], [1, 2]),
        (["--limit", "2", "--after", "2"], [3, 4]),
        (["--campaign", "spring"], [1, 2, 3, 4, 5, 6]),
        (["--campaign", "autumn"], []),
        (["--custom-id", "c-1", "--limit", "1"], [1]),
        (["--account", "shop", "--status", "queued", "--limit", "1"], [5]),
    ],
)
def test_message_list_selects(busy: Shell, words: list[str], ids: list[int]) -> None:
    assert [m["id"] for m in busy.json("message", "list", *words)] == ids


def test_message_shapes(busy: Shell) -> None:
    clicked, deferred = busy.json("message", "list")[1:3]
    assert {name: clicked[name] for name in ("id", "to", "from", "state", "status", "marks", "error_related_to", "error", "campaign", "custom_id")} == {
        "id": 2, "to": "bob@example.net", "from": "news@a.test", "state": "delivered", "status": "clicked", "marks": ["opened", "clicked"],
        "error_related_to": "", "error": "", "campaign": "spring", "custom_id": "c-1",
    }  # fmt: skip
    assert clicked["created_at"].endswith("Z")
    assert (deferred["state"], deferred["error_related_to"], deferred["error"]) == ("deferred", "domain", "greylisted")
    (shown,) = busy.json("message", "show", "3")
    events = shown.pop("events")
    assert shown == deferred
    assert [e["kind"] for e in events] == ["accepted", "deferred"]
    attempt = events[1]
    assert (attempt["host"], attempt["stage"], attempt["attempt"], attempt["reply"][:15]) == ("mx.example.net", "rcpt", 1, "451 4.7.1 greyl")
    assert attempt["retry_at"] == deferred["next_attempt_at"]


def test_message_show_tells_the_story_in_words_and_no_server_draws_on_the_terminal(busy: Shell) -> None:
    said = busy("message", "show", "3").stdout
    assert "Temporary error: another attempt is planned (greylisted; related to: domain)" in said
    assert "Accepted by SMTP (24 octets), together with 5 other recipients" in said
    assert "Attempt 1: temporary error at mx.example.net [192.0.2.7] while naming the recipient (RCPT TO)" in said
    assert "(greylisted; related to: domain); next attempt at 20" in said
    assert "they said: 451 4.7.1 greylisted \\x1b]0;x\\x07" in said
    assert "      C: EHLO x" in said
    assert "\x1b" not in said
    assert "\x1b" not in busy("message", "list").stdout
    bounced = busy("message", "show", "4").stdout
    assert "Attempt 1: permanent error at mx.example.net" in bounced
    assert "the address is blocked from now on" in bounced
    clicked = busy("message", "show", "2").stdout
    assert "Attempt 1: delivered at mx.example.net [192.0.2.7], encrypted with TLSv1.3" in clicked
    assert "Clicked: https://example.com/" in clicked


def test_queue_show_and_retry(busy: Shell) -> None:
    (shown,) = busy.json("queue", "show")
    assert {name: shown[name] for name in ("waiting", "in_flight", "deferred")} == {"waiting": 1, "in_flight": 1, "deferred": 1}
    assert 60 <= shown["oldest_age_s"] < 3600
    (path,) = shown["paths"]
    assert (path["site"], path["domain"], path["waiting"], path["in_flight"], path["deferred"]) == ("mx.example.net", "example.net", 1, 1, 1)
    assert busy.json("queue", "retry", "--domain", "other.example") == [{"retried": 0}]
    assert busy.json("queue", "retry", "3") == [{"retried": 1}]
    assert [e["kind"] for e in busy.json("message", "show", "3")[0]["events"]][-1] == "requeued"
    assert "say what to retry" in busy("queue", "retry", code=2).stderr
    assert "no message 99" in busy("queue", "retry", "99", code=3).stderr


def test_queue_cancel(busy: Shell) -> None:
    (waiting,) = [m["id"] for m in busy.json("message", "list", "--status", "queued") if m["attempts"] == 0 and m["state"] == "queued"][:1]
    assert busy.json("queue", "cancel", str(waiting), "--reason", "wrong price") == [{"cancelled": waiting}]
    (shown,) = busy.json("message", "show", str(waiting))
    assert (shown["state"], shown["error"], shown["events"][-1]["reply"]) == ("blocked", "cancelled", "cancelled by the operator: wrong price")
    assert "does not wait" in busy("queue", "cancel", str(waiting), code=1).stderr
    assert "no message 99" in busy("queue", "cancel", "99", code=3).stderr
    assert busy.json("audit")[0]["difference"] == 0


def test_blocks(busy: Shell) -> None:
    (bounced,) = busy.json("block", "list")
    assert (bounced["address"], bounced["cause"], bounced["message"], bounced["reply"]) == ("dan@example.net", "hard_bounce", 4, "550 5.1.1 no such user")
    assert bounced["until"] > bounced["since"]
    (made,) = busy.json("block", "add", "Zoe@Example.net", "--reason", "asked by telephone")
    assert (made["address"], made["cause"], made["until"], made["reply"]) == ("zoe@example.net", "manual", None, "asked by telephone")
    (short,) = busy.json("block", "add", "yan@example.net", "--for", "90d")
    assert short["until"][:10] > short["since"][:10]
    assert len(busy.json("block", "list")) == 3
    assert [b["address"] for b in busy.json("block", "list", "--address", "ZOE@example.net")] == ["zoe@example.net"]
    assert busy.json("block", "remove", "zoe@example.net", "--reason", "changed her mind") == [{"address": "zoe@example.net", "lifted": 1}]
    assert "is not blocked" in busy("block", "remove", "zoe@example.net", code=3).stderr


def test_stats(busy: Shell) -> None:
    (shown,) = busy.json("stats")
    rates, without = shown.pop("rates"), shown.pop("without_machines")
    assert (without["opened"], without["clicked"], without["rates"]["opened"]) == (1, 1, 0.5)
    assert shown == {"processed": 6, "blocked": 0, "sent": 5, "delivered": 2, "opened": 1, "clicked": 1, "unsubscribed": 0, "spam": 0, "soft_errors": 1,
                     "hard_errors": 1, "in_flight": 1, "queued": 1, "deferred": 1, "exhausted": 0}  # fmt: skip
    assert (rates["delivered"], rates["opened"], rates["errors"], rates["spam"]) == (0.4, 0.5, 0.4, 0)
    assert busy.json("stats", "--to", "2020-01-01")[0]["processed"] == 0
    assert busy.json("stats", "--from", "2020-01-01T00:00:00+02:00", "--account", "shop")[0]["processed"] == 6
    assert "delivered     2         40.00% of sent" in busy("stats").stdout


def test_audit_proves_conservation_and_notices_a_lost_message(busy: Shell) -> None:
    assert busy.json("audit") == [{"accepted": 6, "final": 3, "queued": 3, "difference": 0}]
    assert "Nothing is missing." in busy("audit").stdout
    import sqlite3

    with sqlite3.connect(busy.folder / "mail.db") as database:
        database.execute("DELETE FROM queue WHERE message_id = 6")
    database.close()
    assert busy.json("audit", code=1) == [{"accepted": 6, "final": 3, "queued": 2, "difference": 1}]
    assert "1 messages are missing" in busy("doctor", code=1).stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["message", "show", "99"], 3, "there is no message 99"),
        (["message", "show", "x"], 2, "must be a message id"),
        (["message", "show", str(2**53)], 2, "must be a message id"),
        (["message", "list", "--status", "lost"], 2, "'lost' is not one of"),
        (["message", "list", "--to", "nobody"], 2, "Invalid value for '--to'"),
        (["message", "list", "--account", "none"], 3, "there is no account 'none'"),
        (["key", "add"], 2, "there is no account yet"),
        (["key", "add", "--account", "none"], 3, "there is no account 'none'"),
        (["domain", "add", "localhost"], 2, "must be a domain"),
        (["domain", "add", "exa mple.com"], 2, "Invalid value for 'DOMAIN'"),
        (["stats", "--from", "yesterday"], 2, "must be a date or time"),
        (["block", "add", "a@b.test", "--for", "long"], 2, "must be a duration"),
        (["account", "add", "\x1b[2J"], 2, "printable"),
        (["nonsense"], 2, "No such command"),
        (["serve", "--roles", "acept"], 2, "unknown role 'acept'"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(shell: Shell, words: list[str], code: int, said: str) -> None:
    assert said in shell(*words, code=code).stderr


def test_with_two_accounts_one_must_be_named(shell: Shell) -> None:
    shell("account", "add", "one")
    shell("account", "add", "two")
    assert "name the account with --account" in shell("sender", "add", "a@b.test", code=2).stderr


def test_a_wrong_configuration_is_usage_and_every_problem_is_said(shell: Shell) -> None:
    shell.file.write_text('[server]\nworkrs = 2\n[delivery]\nport = "x"\n')
    said = shell("audit", code=2).stderr
    assert "estafette.toml:2: server.workrs: unknown key; did you mean workers?" in said
    assert "estafette.toml:4: delivery.port" in said


@pytest.mark.parametrize("url", ["sqlite:////dev/null/mail.db", "postgresql://nobody@127.0.0.1:1/none"])
def test_an_unreachable_database_is_exit_code_4(shell: Shell, url: str) -> None:
    shell.file.write_text(f'[database]\nurl = "{url}"\n')
    assert "the database did not do it" in shell("audit", code=4).stderr


def test_a_file_that_is_no_database_is_exit_code_4(shell: Shell) -> None:
    (shell.folder / "mail.db").write_bytes(b"this is not a database, it only has its name. " * 100)
    assert "the database did not do it" in shell("audit", code=4).stderr


def test_check_and_doctor_find_what_is_wrong(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        shell.file.write_text(
            f'[server]\nhostname = "nowhere.invalid"\n[database]\nurl = "{shell.url}"\n[submission]\nlisten = ["127.0.0.1:{port}"]\n'
            'tls_cert = "missing.pem"\ntls_key = "missing.pem"\n[delivery]\ndns = ["127.0.0.1:1"]\nsources = ["192.0.2.1"]\n'
            '[inbound]\nlisten = ["127.0.0.1:0"]\n[http]\nlisten = "127.0.0.1:0"\n'
        )
        checked = {f["check"]: f["grade"] for f in shell.json("check", code=1)}
        assert checked == {"hostname": "ok", "TLS": "problem", "database file": "ok", "disk": "ok", "master key": "ok"}
        found = shell.json("doctor", code=1)
    grades = {(f["check"], f["grade"]) for f in found}
    assert {("TLS", "problem"), ("DNS", "problem"), ("source", "problem"), ("listener", "warning"), ("listener", "ok"), ("database", "ok"), ("clock", "ok"),
            ("hostname", "warning"), ("conservation", "ok")} <= grades  # fmt: skip
    assert any(f"127.0.0.1:{port} is in use" in f["text"] for f in found)


def test_a_readable_master_key_is_warned_about(shell: Shell) -> None:
    shell("account", "add", "shop")
    shell("domain", "add", "example.com")
    (shell.folder / "mail.key").chmod(0o644)
    assert "chmod 600" in shell("check").stdout


def test_the_installed_command_runs_without_a_terminal(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "ESTAFETTE_DATABASE_URL": f"sqlite:///{tmp_path}/mail.db"}
    done = subprocess.run([sys.executable, "-c", "from estafette.cli import main; main()", "account", "add", "shop"], cwd=tmp_path, env=environ,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "account: shop" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_campaign_is_paused_resumed_and_purged_and_whoever_asks_is_told(shell: Shell) -> None:
    async def seed(store: Database) -> None:
        account = await store.add_account("shop", NOW)
        message = NewMessage(5, "ann@example.net", "ann@example.net", "example.net", State.QUEUED, site="mx.example.net")
        sale = Options(campaign="sale")
        await store.accept(Submission(5, account.id, Door.SMTP, "", "shop@example.com", "Sale", sale, NOW, NOW, NOW + DAY_US, b"x", (message,)))

    shell.seed(seed)
    where = ("--account", "shop", "--campaign", "sale")
    shell("queue", "pause", "--campaign", "sale", code=2)
    shell("queue", "pause", "--account", "shop", "--campaign", "other", code=3)
    shell("queue", "pause", *where, "--reason", "wrong link")
    (why,) = shell.json("message", "why", "5")
    assert why["holds"] == "pause" and "wrong link" in why["text"]
    assert shell.json("queue", "paused")[0]["campaign"] == "sale"
    assert "1 messages wait for example.net" in shell("queue", "why", "example.net").output
    assert shell.json("queue", "why", "example.net")[0]["waiting"] == 1
    assert shell.json("queue", "show")[0]["streams"][0]["stream"] == "transactional"
    shell("queue", "resume", *where)
    shell("queue", "resume", *where, code=3)
    shell("queue", "purge", *where)
    assert shell.json("message", "why", "5")[0]["holds"] == "purge"
    shell("queue", "pause", "--domain", "example.net")
    assert "example.net" in shell("queue", "paused").output


def test_the_keys_of_a_domain_are_rotated(shell: Shell) -> None:
    shell("account", "add", "shop")
    assert "has no signing key" in shell("domain", "rotate", "example.com", code=3).stderr
    shell("domain", "add", "example.com", "--verified")
    (made,) = shell.json("domain", "rotate", "example.com")
    first, second = made["keys"]
    assert (first["state"], second["state"], second["algorithm"]) == ("signing", "waiting", "rsa-sha256")
    assert [r["name"] for r in made["publish"]] == [f"{second['selector']}._domainkey.example.com"]
    (beside,) = shell.json("domain", "rotate", "example.com", "--ed25519")
    assert [k["algorithm"] for k in beside["keys"]] == ["rsa-sha256", "rsa-sha256", "ed25519-sha256"]
    assert "is not in the DNS" in shell("domain", "rotate", "example.com", "--switch", code=1).stderr
    (switched,) = shell.json("domain", "rotate", "example.com", "--switch", "--unchecked")
    assert ([k["state"] for k in switched["keys"]], switched["publish"]) == (["retired", "signing", "signing"], [])
    (listed,) = shell.json("domain", "list")
    assert sum(r["purpose"] == "dkim" for r in listed["records"]) == 2
    assert "that does not sign" in shell("domain", "rotate", "example.com", "--drop", second["selector"], code=1).stderr
    (dropped,) = shell.json("domain", "rotate", "example.com", "--drop", first["selector"])
    assert [k["selector"] for k in dropped["keys"]] == [k["selector"] for k in switched["keys"][1:]]


def test_routes_to_programs(shell: Shell) -> None:
    shell("account", "add", "shop")
    assert "not a verified domain" in shell("route", "add", "https://shop.example/in", "--email", "in@shop.example", code=1).stderr
    assert "URL" in shell("route", "add", "ftp://shop.example/in", code=2).stderr
    (made,) = shell.json("route", "add", "https://shop.example/in")
    assert made["email"].endswith("@bounces.mail.example.com") and made["url"] == "https://shop.example/in"
    shell("domain", "add", "shop.example", "--verified")
    (named,) = shell.json("route", "add", "https://shop.example/in", "--email", "in@shop.example")
    assert "leads somewhere already" in shell("route", "add", "https://shop.example/2", "--email", "in@shop.example", code=1).stderr
    assert [(r["email"], r["waiting"]) for r in shell.json("route", "list")] == [(made["email"], 0), ("in@shop.example", 0)]
    shell("route", "remove", str(named["id"]))
    assert "there is no route" in shell("route", "remove", str(named["id"]), code=3).stderr
