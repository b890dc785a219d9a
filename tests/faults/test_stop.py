"""T2: SIGTERM under load, to one worker after the other and then to the whole: nobody is told never, nothing is lost, nothing comes twice."""

import asyncio
import base64
import os
import signal
import socket
import sys
import time

import pytest

from tests.faults.ledger import IS_LONG, Load, settle_accounts, uncertain_attempts
from tests.scenarios.conftest import World, small_world
from tests.scenarios.platform import DOMAIN, mail
from tests.world import Act

__all__ = ["small_world"]  # a fixture
ROUNDS = 20 if IS_LONG else 1
DRAIN_S = 2.0
SLACK_S = 3.0
"""For giving back what is held, taking leave and closing the database, on a busy machine."""


@pytest.mark.timeout(600)
async def test_stopping_and_rolling_restarts_cost_nothing(small_world: World) -> None:
    small_world.mx.replies = {"body": lambda moment: Act(delay_s=0.02)}
    async with small_world.platform(workers=2) as platform:
        load = Load(platform, clients=3, pause_s=0.01)
        async with load.running():
            for _ in range(ROUNDS):
                for pid in platform.worker_pids():
                    os.kill(pid, signal.SIGTERM)
                    async with asyncio.timeout(60):
                        while pid in platform.worker_pids():  # noqa: ASYNC110 - nobody tells us
                            await asyncio.sleep(0.05)
                started_s = time.monotonic()
                assert await platform.stop() == 0
                took_s = time.monotonic() - started_s
                await platform.start()
        made = await settle_accounts(platform, load.accepted, small_world.mx.mails)
        log = platform.log()
        assert "Traceback" not in log
        assert log.count("INFO worker started") == log.count("why=stopped") + 2, "a worker was killed instead of taking leave"
    print(f"\n{ROUNDS} rounds: {made}, the last stop took {took_s:.1f} s, clients saw {dict(load.refused)}", file=sys.stderr)
    assert made.promised > 5
    assert set(load.refused) <= {0, 421, 451}, "a client was told never"
    assert (made.copies, made.uncertain) == (0, 0)


def half_a_mail(port: int, key: str, secret: str) -> socket.socket:
    """A client that stops in the middle of its content."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    login = base64.b64encode(f"\0{key}\0{secret}".encode()).decode()
    for line in ("", "EHLO c.test", f"AUTH PLAIN {login}", f"MAIL FROM:<news@{DOMAIN}>", "RCPT TO:<half@dest.example>", "DATA"):
        if line:
            sock.sendall(f"{line}\r\n".encode())
        reply = sock.recv(4096)
        assert reply[:1] in b"23", reply
    sock.sendall(b"Subject: half\r\n\r\nand the")
    return sock


@pytest.mark.timeout(60)
async def test_a_stop_ends_in_time_whatever_hangs(small_world: World) -> None:
    """Three paths of one site whose receiver never answers, clients in the middle of their content, a request that does not end."""
    small_world.mx.replies = {"body": lambda moment: Act(delay_s=60.0)}
    sections = {"server": f'drain_within = "{DRAIN_S:.0f}s"', "delivery": 'sources = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]\ndata_timeout = "60s"'}
    async with small_world.platform(workers=2, sections=sections) as platform:
        for number in range(12):
            platform.send(f"u{number}@dest.example", mail(f"m{number}"))
        halves = [half_a_mail(platform.smtp_port, platform.key, platform.secret) for _ in range(4)]
        page = socket.create_connection(("127.0.0.1", platform.ports["http"]))
        page.sendall(b"POST /v3.1/send HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        async with asyncio.timeout(20):
            while small_world.mx.open < 3:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.05)
        started_s = time.monotonic()
        assert await platform.stop() == 0
        took_s = time.monotonic() - started_s
        print(f"\nstopped in {took_s:.1f} s", file=sys.stderr)
        for sock in (*halves, page):
            sock.close()
        log = platform.log()
        assert "Traceback" not in log
        assert log.count("why=stopped") == 2, "a worker was killed instead of taking leave"
        assert took_s < DRAIN_S + SLACK_S
        small_world.mx.replies = {}
        await platform.start()
        await platform.settled(12)
        platform.assert_nothing_is_missing()
        assert sum((await uncertain_attempts(platform.database_url)).values()) >= 3, "what was cut after its final dot is told of"
