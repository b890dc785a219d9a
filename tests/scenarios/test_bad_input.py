"""What a submitter can say wrong over SMTP: the code, the enhanced code and the words that it is answered, and that the session's good mail arrives."""

import asyncio
import re

import pytest

from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.scenarios.wire import Told, Wire

LONG = 100_000


async def arrives(world: World, platform: Platform, recipients: list[str]) -> None:
    """Exactly these messages exist, all are delivered, each arrived once, and the books balance."""
    messages = await platform.settled(len(recipients))
    assert {m["to"]: m["state"] for m in messages} == dict.fromkeys(recipients, "delivered")
    assert sorted(m.recipients[0] for m in world.mx.mails) == sorted(recipients)
    platform.assert_nothing_is_missing()


def assert_told(told: dict[str, Told], expected: dict[str, tuple[int, str, str]]) -> None:
    """Each reply has its code, its enhanced code and the words (a pattern) that name the cause."""
    wrong = {
        name: str(told[name])
        for name, (code, enhanced, words) in expected.items()
        if (told[name].code, told[name].enhanced) != (code, enhanced) or not re.search(words, told[name].text)
    }
    assert wrong == {}
    assert told.keys() == expected.keys()


async def test_wrong_credentials(small_world: World) -> None:
    async with small_world.platform(sections={"submission": "max_login_failures = 2"}) as platform:
        told: dict[str, Told] = {}
        async with Wire(platform) as wire:
            await wire.greet()
            told["before login"] = await wire.say(f"MAIL FROM:<news@{DOMAIN}>\r\n".encode())
            told["not base64"] = await wire.say(b"AUTH PLAIN !!!!\r\n")
            told["not a response"] = await wire.say(b"AUTH PLAIN bm9udWw=\r\n")
            told["unknown mechanism"] = await wire.say(b"AUTH CRAM-MD5\r\n")
            told["cancelled"] = await wire.say(b"AUTH LOGIN\r\n")
            told["cancelled"] = await wire.say(b"*\r\n")
            told["wrong secret"] = await wire.login(secret="wrong")
            told["unknown key"] = await wire.login(key="nobody")
            told["after two"] = await wire.read()
            told["then"] = await wire.read()
        async with Wire(platform) as wire:
            await wire.open()
            assert (await wire.mail("good@dest.example", mail())).code == 250
        await arrives(small_world, platform, ["good@dest.example"])
        assert "login failed" in platform.log() and platform.secret not in platform.log()
    assert_told(told, {
        "before login": (530, "5.7.0", "Authentication required"),
        "not base64": (501, "5.5.2", "base64"),
        "not a response": (501, "5.5.2", ""),
        "unknown mechanism": (504, "5.5.4", "mechanism"),
        "cancelled": (501, "5.7.0", "cancel"),
        "wrong secret": (535, "5.7.8", "unknown API key or wrong secret"),
        "unknown key": (535, "5.7.8", "unknown API key or wrong secret"),
        "after two": (421, "4.7.0", "Too many failed logins"),
        "then": (0, "", "closed"),
    })  # fmt: skip


async def test_bad_envelopes(small_world: World) -> None:
    recipients = {
        "no domain": b"<nobody>",
        "no brackets": b"a@dest.example",
        "empty": b"<>",
        "two ats": b"<a@b@dest.example>",
        "blank": b"<a b@dest.example>",
        "dots": b"<a..b@dest.example>",
        "empty label": b"<a@dest..example>",
        "open bracket": b"<a@dest.example",
        "long local part": b"<" + b"x" * 65 + b"@dest.example>",
        "long domain": b"<a@" + b"x" * 64 + b".example>",
        "control": b"<a\x01@dest.example>",
        "NUL": b"<a\0@dest.example>",
        "not UTF-8": b"<\xff\xfe@dest.example>",
        "UTF-8 unannounced": "<é@dest.example>".encode(),
        "unknown parameter": b"<a@dest.example> FOO=bar",
        "too long": b"<" + b"x" * LONG + b"@dest.example>",
    }
    limits = 'max_recipients = 2\nmax_protocol_errors = 100\nmax_size = "20kB"'
    async with small_world.platform(sections={"submission": limits}) as platform, Wire(platform) as wire:
        await wire.open()
        told = {
            "RCPT first": await wire.say(b"RCPT TO:<a@dest.example>\r\n"),
            "bad reverse-path": await wire.say(b"MAIL FROM:<news@>\r\n"),
            "SIZE no number": await wire.say(f"MAIL FROM:<news@{DOMAIN}> SIZE=many\r\n".encode()),
            "SIZE too large": await wire.say(f"MAIL FROM:<news@{DOMAIN}> SIZE=20001\r\n".encode()),
        }
        assert (await wire.say(f"MAIL FROM:<news@{DOMAIN}>\r\n".encode())).code == 250
        told["nested MAIL"] = await wire.say(f"MAIL FROM:<news@{DOMAIN}>\r\n".encode())
        told["DATA first"] = await wire.say(b"DATA\r\n")
        told |= {name: await wire.say(b"RCPT TO:" + path + b"\r\n") for name, path in recipients.items()}
        assert (await wire.say(b"RCPT TO:<a@dest.example>\r\n")).code == 250
        assert (await wire.say(b"RCPT TO:<b@dest.example>\r\n")).code == 250
        told["one too many"] = await wire.say(b"RCPT TO:<c@dest.example>\r\n")
        assert (await wire.say(b"DATA\r\n")).code == 354
        assert (await wire.say(mail() + b".\r\n")).code == 250
        await arrives(small_world, platform, ["a@dest.example", "b@dest.example"])
    assert_told(told, {
        "RCPT first": (503, "5.5.1", "Send MAIL first"),
        "bad reverse-path": (501, "5.1.7", "Not a valid address"),
        "SIZE no number": (501, "5.5.4", "SIZE"),
        "SIZE too large": (552, "5.3.4", "exceeds the limit of 20000 octets"),
        "nested MAIL": (503, "5.5.1", "one MAIL per transaction"),
        "DATA first": (503, "5.5.1", "Send RCPT first"),
        **dict.fromkeys(["no domain", "empty", "two ats", "blank", "dots", "empty label", "control"], (501, "5.1.3", "Not a valid address")),
        **dict.fromkeys(["no brackets", "open bracket"], (501, "5.1.3", "angle brackets")),
        "long local part": (501, "5.1.3", "longer than 64 octets"),
        "long domain": (501, "5.1.3", "longer than 255 octets or has a label longer than 63"),
        "NUL": (500, "5.5.2", "Control characters"),
        "not UTF-8": (501, "5.5.2", "not UTF-8"),
        "UTF-8 unannounced": (553, "5.6.7", "SMTPUTF8"),
        "unknown parameter": (555, "5.5.4", "FOO=bar"),
        "too long": (500, "5.5.2", "Line too long"),
        "one too many": (452, "4.5.3", "Too many recipients; 2 per transaction"),
    })  # fmt: skip


async def test_bad_content(small_world: World) -> None:
    author = f"From: news@{DOMAIN}\r\n".encode()
    contents = {
        "foreign author": mail(author="ceo@bank.example"),
        "no From": b"Subject: x\r\n\r\nx\r\n",
        "two From": author + author + b"\r\nx\r\n",
        "two authors": f"From: news@{DOMAIN}, ceo@bank.example\r\n\r\nx\r\n".encode(),
        "From is no address": b"From: somebody\r\n\r\nx\r\n",
        "NUL in the header": author + b"Subject: a\0b\r\n\r\nx\r\n",
        "NUL in the body": author + b"\r\na\0b\r\n",
        "no header": b"\x89PNG\xff\xfe binary\r\n" * 10,
        "binary field name": author + b"X-\xff: 1\r\n\r\nx\r\n",
        "bare LF": author + b"\r\nline\nline\r\n",
        "bare CR": author + b"\r\nline\rline\r\n",
        "too large": author + b"\r\n" + b"0123456789\r\n" * 30_000,
        "1001 fields": author + b"X: y\r\n" * 1001 + b"\r\nx\r\n",
        "a header without end": author + b"X: " + b"y" * 300_000 + b"\r\n",
        "a hundred hops": author + b"Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n" * 101 + b"\r\nx\r\n",
        "an option that is none": author + b"X-Mailjet-Prio: seven\r\n\r\nx\r\n",
    }
    told: dict[str, Told] = {}
    async with small_world.platform(sections={"submission": 'max_size = "350kB"\nmax_protocol_errors = 100'}) as platform, Wire(platform) as wire:
        await wire.open()
        for number, (name, content) in enumerate(contents.items()):
            told[name] = await wire.mail(f"bad{number}@dest.example", content)
        assert (await wire.mail("good@dest.example", mail())).code == 250  # in the same session
        await arrives(small_world, platform, ["good@dest.example"])
    assert_told(told, {
        "foreign author": (550, "5.7.1", "ceo@bank.example is not a verified sender .*`estafette sender add ceo@bank.*`estafette domain add bank"),
        "no From": (554, "5.6.0", "no From field"),
        "two From": (554, "5.6.0", "more than one From field"),
        "two authors": (554, "5.6.0", "exactly one address"),
        "From is no address": (554, "5.6.0", "From field is not an address"),
        "NUL in the header": (554, "5.6.0", "header contains a NUL octet"),
        "NUL in the body": (554, "5.6.0", "body contains a NUL octet; send binary content as base64"),
        "no header": (554, "5.6.0", "not a header field"),
        "binary field name": (554, "5.6.0", "not a header field"),
        "bare LF": (550, "5.6.0", "must end with CRLF"),
        "bare CR": (550, "5.6.0", "must end with CRLF"),
        "too large": (552, "5.3.4", "exceeds the limit of 350000 octets"),
        "1001 fields": (554, "5.6.0", "more than 1000 fields"),
        "a header without end": (554, "5.6.0", "longer than 262144 octets"),
        "a hundred hops": (554, "5.4.6", "Too many hops"),
        "an option that is none": (554, "5.6.0", "(?i)x-mailjet-prio"),
    })  # fmt: skip


async def test_lines_of_100000_octets(small_world: World) -> None:
    """In a command they are refused; in a mail they are relayed as they came, as the corpus of real mail asks."""
    long = b"y" * LONG
    in_header, in_body = mail(fields=f"X-Long: {long.decode()}\r\n"), mail(body=long + b"\r\n")
    async with small_world.platform() as platform, Wire(platform) as wire:
        await wire.open()
        told = {
            "NOOP": await wire.say(b"NOOP " + long + b"\r\n"),
            "no verb": await wire.say(long + b"\r\n"),
            "AUTH": await wire.say(b"AUTH PLAIN " + long + b"\r\n"),
            "no CRLF": await wire.say(long + b"\n"),
        }
        assert (await wire.mail("header@dest.example", in_header)).code == 250
        assert (await wire.mail("body@dest.example", in_body)).code == 250
        await arrives(small_world, platform, ["header@dest.example", "body@dest.example"])
    assert len(small_world.mx.violations) == 2 and all("998" in violation for violation in small_world.mx.violations)
    small_world.mx.violations.clear()  # what real servers think of such lines is theirs to say
    assert_told(told, {
        "NOOP": (500, "5.5.2", "Line too long"),
        "no verb": (500, "5.5.2", "Line too long"),
        "AUTH": (500, "5.5.6", "line is too long"),
        "no CRLF": (500, "5.5.2", "Line too long"),
    })  # fmt: skip
    contents = {m.recipients[0]: m.content for m in small_world.mx.mails}
    assert contents["header@dest.example"].endswith(in_header) and contents["body@dest.example"].endswith(in_body)


async def test_binary_in_header_values_keeps_its_octets(small_world: World) -> None:
    """Latin-1 from an old program, and UTF-8 that nobody announced."""
    old, new = mail("x", fields="").replace(b"Subject: x", b"Subject: caf\xe9 \x80\xff"), mail("café ☕")
    async with small_world.platform() as platform, Wire(platform) as wire:
        await wire.open()
        assert (await wire.mail("old@dest.example", old)).code == 250
        assert (await wire.mail("new@dest.example", new)).code == 250
        await arrives(small_world, platform, ["old@dest.example", "new@dest.example"])
    contents = {m.recipients[0]: m.content for m in small_world.mx.mails}
    assert contents["old@dest.example"].endswith(old) and contents["new@dest.example"].endswith(new)


async def test_pipelined_garbage(small_world: World) -> None:
    """An HTTP request, a TLS hello and plain noise at the SMTP port, all in one write; a good session beside them is not touched."""
    garbage = {
        "http": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" * 20,
        "tls": bytes.fromhex("16030100c8010000c40303") + bytes(range(256)) * 2 + b"\r\n" * 30,
        "noise": b"\xff\xfe\x00\r\n" * 50,
        "unknown": b"FOO\r\n" * 50,
    }
    async with small_world.platform() as platform, Wire(platform) as good:
        await good.open()
        for name, octets in garbage.items():
            async with Wire(platform) as wire:
                wire.writer.write(octets)
                greeting, *told = await wire.read_all()
                assert greeting.code == 220
                assert len(told) == 21, name  # twenty refusals, and the end
                assert {(t.code, t.enhanced) for t in told[:-1]} <= {(500, "5.5.1"), (500, "5.5.2"), (503, "5.5.1")}, name
                assert (told[-1].code, told[-1].enhanced, told[-1].text) == (421, "4.7.0", "Too many errors")
        async with Wire(platform) as wire:  # garbage behind a good mail, in the same write: the mail is answered and arrives
            await wire.open()
            transaction = f"MAIL FROM:<news@{DOMAIN}>\r\nRCPT TO:<first@dest.example>\r\nDATA\r\n".encode() + mail() + b".\r\n"
            wire.writer.write(transaction + b"FOO\r\n" * 40)
            told = await wire.read_all()
            assert [t.code for t in told[:5]] == [250, 250, 354, 250, 500] and told[-1].code == 421 and len(told) == 4 + 21
        assert (await good.mail("second@dest.example", mail())).code == 250
        await arrives(small_world, platform, ["first@dest.example", "second@dest.example"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[submission]\nmax_sise = "1MB"', ["estafette.toml:2", "submission.max_sise", "unknown key", "did you mean max_size?"]),
        ("[submision]\n", ["estafette.toml:1", "submision", "unknown section", "did you mean submission?"]),
        ("max_size = 3\n", ["outside of any section", "it belongs under [submission]"]),
        ("[server]\nworkers = many\n", ["estafette.toml", "not valid TOML"]),
        ('[server]\nworkers = "many"\nlease = "3 bananas"\n', ["server.workers", "server.lease"]),
        ("[server]\nworkers = 65\n", ["server.workers", "at most 64"]),
        ("\xff\xfe[server]", ["not UTF-8", "octet 0"]),
    ],
    ids=["key", "section", "no section", "TOML", "values", "range", "binary"],
)
async def test_a_configuration_that_cannot_be_read(small_world: World, text: str, words: list[str]) -> None:
    platform = small_world.platform()
    platform.config.write_bytes(text.encode("latin-1"))
    for command in (["serve"], ["check"], ["message", "list"]):
        done = await asyncio.to_thread(platform.run, *command)
        assert done.returncode == 2, done
        assert [word for word in words if word not in done.stderr] == []
        assert "Traceback" not in done.stderr and done.stdout == ""
