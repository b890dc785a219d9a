"""Mail software that is not ours, before and behind the platform."""

import asyncio
import os
import shutil
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.peers import postfix
from tests.scenarios.conftest import World
from tests.scenarios.platform import DOMAIN, Platform, environment, mail


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return path


def certificate(folder: Path) -> tuple[trustme.CA, str]:
    """(authority, lines for [submission]) with a certificate for 127.0.0.1."""
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1", "localhost")
    made.private_key_pem.write_to_path(str(folder / "key.pem"))
    with open(folder / "cert.pem", "wb") as file:
        file.writelines(blob.bytes() for blob in made.cert_chain_pems)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return authority, f'tls_cert = "{folder}/cert.pem"\ntls_key = "{folder}/key.pem"\ntls_listen = ["127.0.0.1:0"]'


def run(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(words, input=stdin, capture_output=True, timeout=60, env=environment())


async def arrives(world: World, platform: Platform, count: int = 1) -> None:
    await world.mx.wait_for(count)
    assert {m["state"] for m in await platform.settled(count)} == {"delivered"}
    assert len(world.mx.mails) == count


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("tls", ["clear", "starttls", "implicit"])
async def test_swaks(small_world: World, mechanism: str, tls: str) -> None:
    swaks = program("swaks")
    _, lines = certificate(small_world.folder)
    async with small_world.platform(sections={"submission": lines}) as platform:
        port = platform.ports["submissions" if tls == "implicit" else "submission"]
        words = {"clear": [], "starttls": ["--tls"], "implicit": ["--tlsc"]}[tls]
        done = await asyncio.to_thread(
            run, swaks, "--server", f"127.0.0.1:{port}", "--auth", mechanism, "--auth-user", platform.key, "--auth-password", platform.secret,
            "--from", f"news@{DOMAIN}", "--to", "a@dest.example", "--pipeline", *words,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode()
        await arrives(small_world, platform)


async def test_curl(small_world: World) -> None:
    curl = program("curl")
    async with small_world.platform() as platform:
        (small_world.folder / "mail.eml").write_bytes(mail())
        done = await asyncio.to_thread(
            run, curl, "-sS", "--url", f"smtp://127.0.0.1:{platform.smtp_port}", "--user", f"{platform.key}:{platform.secret}",
            "--mail-from", f"news@{DOMAIN}", "--mail-rcpt", "a@dest.example", "--mail-rcpt", "b@dest.example", "-T", str(small_world.folder / "mail.eml"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        await arrives(small_world, platform, 2)


async def test_msmtp_over_starttls(small_world: World) -> None:
    msmtp = program("msmtp")
    _, lines = certificate(small_world.folder)
    async with small_world.platform(sections={"submission": lines}) as platform:
        done = await asyncio.to_thread(
            run, msmtp, "--host=127.0.0.1", f"--port={platform.smtp_port}", "--tls=on", "--tls-starttls=on", f"--tls-trust-file={small_world.folder}/ca.pem",
            "--auth=on", f"--user={platform.key}", f"--passwordeval=echo {platform.secret}", f"--from=news@{DOMAIN}", "a@dest.example", stdin=mail(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        await arrives(small_world, platform)


async def test_smtplib_over_starttls_with_a_verified_certificate(small_world: World) -> None:
    _, lines = certificate(small_world.folder)

    def send(platform: Platform) -> None:
        context = ssl.create_default_context(cafile=str(small_world.folder / "ca.pem"))
        with smtplib.SMTP("localhost", platform.smtp_port, timeout=20) as client:
            client.starttls(context=context)
            client.login(platform.key, platform.secret)
            client.sendmail(f"news@{DOMAIN}", ["a@dest.example"], mail())

    async with small_world.platform(sections={"submission": lines}) as platform:
        await asyncio.to_thread(send, platform)
        await arrives(small_world, platform)


async def test_postfix_as_source_and_as_destination(world: World) -> None:
    """Postfix hands mail in, with login over STARTTLS, and Postfix takes it at the other end."""
    postfix.skip_unless_possible()
    _, lines = certificate(world.folder)
    with await asyncio.to_thread(postfix.start_destination, "dest.example") as destination:
        sections = {"submission": lines, "delivery": f"port = {destination.port}"}
        async with world.platform(sections=sections) as platform:
            passwords = world.folder / "sasl"
            passwords.write_text(f"[127.0.0.1]:{platform.smtp_port} {platform.key}:{platform.secret}\n")
            ca = Path("/tmp") / f"{world.folder.name}-{os.getpid()}-ca.pem"  # the folder of the test is closed to user postfix
            ca.write_bytes((world.folder / "ca.pem").read_bytes())
            settings = {
                "smtp_sasl_auth_enable": "yes", "smtp_sasl_password_maps": f"texthash:{passwords}", "smtp_sasl_security_options": "noanonymous",
                "smtp_tls_security_level": "encrypt", "smtp_tls_CAfile": str(ca),
            }  # fmt: skip
            try:
                with await asyncio.to_thread(lambda: postfix.start_relay(("127.0.0.1", platform.smtp_port), settings=settings)) as source:

                    def send() -> None:
                        with smtplib.SMTP("127.0.0.1", source.port, timeout=20) as client:
                            for i in range(20):
                                client.sendmail(f"news@{DOMAIN}", [f"u{i}@dest.example"], mail(f"number {i}", b".a line with a dot\r\nlast\r\n"))

                    await asyncio.to_thread(send)
                    kept = await asyncio.to_thread(destination.wait_for_kept, 20)
                    messages = await platform.settled(20)
            finally:
                ca.unlink()
            assert {m["state"] for m in messages} == {"delivered"}
            platform.assert_nothing_is_missing()
    assert len(kept) == 20
    assert len({one.split(b"Subject: ")[1].split(b"\n")[0] for one in kept}) == 20
    assert all(one.endswith(b"\n\n.a line with a dot\nlast\n") for one in kept)
    assert all(b"DKIM-Signature:" in one for one in kept)


class Keeper:
    """What aiosmtpd hands mail to."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 Message accepted"


async def test_aiosmtpd_as_destination(small_world: World) -> None:
    keeper = Keeper()
    controller = Controller(keeper, hostname="127.0.0.1", port=0, ready_timeout=10)
    controller.port = free_port()
    await asyncio.to_thread(controller.start)
    try:
        async with small_world.platform(sections={"delivery": f"port = {controller.port}"}) as platform:
            await asyncio.to_thread(platform.send, [f"u{i}@dest.example" for i in range(10)])
            assert {m["state"] for m in await platform.settled(10)} == {"delivered"}
    finally:
        await asyncio.to_thread(controller.stop)
    assert len(keeper.mails) == 10
    assert all(content.endswith(b"\r\n\r\nHello\r\n") for content in keeper.mails)


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
