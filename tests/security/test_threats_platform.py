"""Threats of the model (SECURITY.md) that are met by the running platform: one instance, asked like a stranger would."""

import asyncio
import contextlib
import sqlite3
import stat

import httpx2
import pytest

from tests.scenarios.conftest import World, small_world
from tests.scenarios.platform import DOMAIN, Platform, mail
from tests.scenarios.wire import Wire

__all__ = ["small_world"]  # a fixture
INJECTIONS = ["' OR '1'='1", "x'; DROP TABLE message; --", "%", "\\", '"', "a@b.c' UNION SELECT secret_sha256 FROM api_key --"]


async def throttled(platform: Platform) -> None:
    """14: who guesses is slowed down and told nothing; the rightful user logs in all the same."""
    async with Wire(platform, source="127.0.0.9") as wire:
        await wire.greet()
        for secret in ("wrong", "", platform.key):
            told = await wire.login(platform.key, secret or "x")
            assert (told.code, told.enhanced) in ((535, "5.7.8"), (421, "4.7.0")), told
            if told.code == 421:
                break
    async with Wire(platform) as wire:
        await wire.greet()
        assert (await wire.login()).code == 235


async def isolated(platform: Platform, other: dict[str, str]) -> None:
    """15: another account's messages do not exist; 16: its domain is not ours to write as."""
    (mine,) = [m for m in platform.messages() if m["to"] == "a@dest.example"]
    async with httpx2.AsyncClient(base_url=platform.http_url) as http:
        for auth, count in (((platform.key, platform.secret), 1), ((other["key"], other["secret"]), 0)):
            for path in (f"/v3/REST/message/{mine['id']}", f"/v3/REST/messagehistory/{mine['id']}"):
                answer = await http.get(path, auth=auth)
                found = answer.json()["Count"] if answer.status_code == 200 else 0
                assert found == count and answer.status_code in (200, 404), (path, answer.status_code, answer.text[:200])
        for auth in (None, ("x", "y"), (platform.key, "wrong")):
            assert (await http.get("/v3/REST/message", auth=auth)).status_code == 401
        for text in INJECTIONS:  # 27
            for name in ("CustomID", "Sort", "Limit"):
                answer = await http.get("/v3/REST/message", params={name: text}, auth=(other["key"], other["secret"]))
                assert answer.status_code in (200, 400, 404) and mine["to"] not in answer.text, (name, text, answer.text[:300])
        message = {"From": {"Email": f"x@{DOMAIN}"}, "To": [{"Email": "v@dest.example"}], "Subject": "x", "TextPart": "x"}
        answer = await http.post("/v3.1/send", json={"Messages": [message]}, auth=(other["key"], other["secret"]))
        assert answer.status_code in (400, 403) and "v@dest.example" not in str(platform.messages())
    async with Wire(platform) as wire:
        await wire.greet()
        assert (await wire.login(other["key"], other["secret"])).code == 235
        assert (await wire.mail("v@dest.example", mail(author=f"boss@{DOMAIN}"))).code == 550


async def no_backscatter(platform: Platform, world: World) -> None:
    """29: mail for nobody is refused in the session, and nothing leaves because of it."""
    before = len(world.mx.mails)
    reader, writer = await asyncio.open_connection("127.0.0.1", platform.ports["inbound"])
    said = []
    with contextlib.closing(writer):
        for line in ("", "EHLO x.test", "MAIL FROM:<forged@victim.test>", "RCPT TO:<nobody@bounces.relay.test>", "RCPT TO:<v@elsewhere.test>", "QUIT"):
            writer.write(f"{line}\r\n".encode() if line else b"")
            while (reply := (await reader.readline()).decode())[3:4] == "-":
                pass
            said.append(reply[:3])
    assert said == ["220", "250", "250", "550", "550", "221"]
    assert len(world.mx.mails) == before


def sealed(platform: Platform, world: World) -> None:
    """17 and 18: neither keys nor secrets stand in the database, the log or the backup; the files are ours alone."""
    backup = world.folder / "backup.db"
    platform.command("backup", str(backup), "--json")
    octets = b"".join(f.read_bytes() for f in world.folder.iterdir() if f.is_file() and f.name not in ("master.key",))
    octets += platform.log().encode()
    assert platform.secret.encode() not in octets and b"PRIVATE KEY" not in octets
    with sqlite3.connect(backup) as connection:
        (secret, sealed_key) = connection.execute("SELECT secret_sha256, (SELECT sealed_private_key FROM dkim_key LIMIT 1) FROM api_key LIMIT 1").fetchone()
    assert len(secret) == 32 and b"\x30\x82" not in sealed_key[:4]
    for name in ("master.key", "backup.db"):
        assert stat.S_IMODE((world.folder / name).stat().st_mode) == 0o600
    for file in (world.folder / "estafette.flights").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.timeout(180)
async def test_threats_14_to_18_27_29(small_world: World) -> None:
    async with small_world.platform() as platform:
        other = platform.command("account", "add", "other", "--json")
        platform.command("domain", "add", "other.example", "--account", "other", "--verified", "--json")
        await asyncio.to_thread(platform.send, "a@dest.example")
        await platform.settled(1)
        await throttled(platform)
        await isolated(platform, other)
        await no_backscatter(platform, small_world)
        sealed(platform, small_world)
        for text in INJECTIONS[:2]:  # 27, at the command line
            done = platform.run("message", "list", "--account", text)
            assert done.returncode == 3 and "Traceback" not in done.stderr
        platform.assert_nothing_is_missing()


async def test_threat_32_a_fresh_installation_lets_nobody_in(small_world: World) -> None:
    """No default account, no default password: whoever comes before the first account is made is refused."""
    platform = small_world.platform()
    platform.key, platform.secret = "admin", "admin"  # so that none is made
    async with platform, Wire(platform) as wire, httpx2.AsyncClient(base_url=platform.http_url) as http:
        await wire.greet()
        assert (await wire.login()).code == 535
        assert (await wire.say(b"MAIL FROM:<a@b.example>\r\n")).code == 530
        for auth in (("admin", "admin"), ("", ""), ("demo", "demo")):
            assert (await http.get("/v3/REST/message", auth=auth)).status_code == 401
