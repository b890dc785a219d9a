"""A running Estafette for scenario tests: the real command, in its own folder, on ports of loopback that the kernel chose.

    async with Platform(tmp_path, database_url, dns=world_dns.server, mx_port=mx.port) as platform:
        platform.send(...)             # smtplib
        await platform.settled()       # nothing waits any more
        platform.messages()            # what `estafette message list --json` says
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from estafette.clock import SystemClock
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import StoreFault

ESTAFETTE = [sys.executable, "-m", "estafette"]
DOMAIN = "sender.example"
START_S = 30.0


class Platform:
    """See the module."""

    def __init__(
        self, folder: Path, database_url: str, *, dns: str, mx_port: int, config: str = "", workers: int = 1, sections: dict[str, str] | None = None,
        own_group: bool = False, beside: "Platform | None" = None, host: str = "127.0.0.1", within: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """`sections` adds lines to sections of the configuration, by section name. `own_group`: the processes are a group, for `kill`. `beside`: another
        supervisor of the same installation, whose account and master key are used. `host`: the address of its machine. `within`: what begins its command
        line, such as `ip netns exec NAME`."""
        self.folder, self.host, self._within, self.client_timeout_s = folder, host, [*within], 60.0
        self.database_url = database_url
        extra = dict(sections or {})
        lines = {
            "server": f'hostname = "relay.test"\nworkers = {workers}\nlease = "3s"\ndrain_within = "10s"',
            "database": f'url = "{database_url}"',
            "submission": f'listen = ["{host}:0"]',
            "http": f'listen = "{host}:0"',
            "inbound": f'listen = ["{host}:0"]\ndomain = "bounces.relay.test"',
            "delivery": f'port = {mx_port}\ndns = ["{dns}"]\nretry = ["1s", "2s"]\nretry_jitter = 0\ngive_up_after = "60s"\nidle_timeout = "500ms"\n'
            'connect_timeout = "3s"\ncommand_timeout = "5s"\ndata_timeout = "5s"\ndns_timeout = "2s"',
            "secrets": f'master_key_file = "{(beside or self).folder}/master.key"',
        }
        for section, text in extra.items():
            given = {line.split("=")[0].strip() for line in text.splitlines()}
            kept = [line for line in lines.get(section, "").splitlines() if line.split("=")[0].strip() not in given]
            lines[section] = "\n".join([*kept, text])
        self.config = folder / "estafette.toml"
        self.config.write_text("".join(f"[{name}]\n{text}\n\n" for name, text in lines.items()) + config)
        self.process: subprocess.Popen[str] | None = None
        self.ports: dict[str, int] = {}
        self.key, self.secret = (beside.key, beside.secret) if beside is not None else ("", "")
        self._own_group = own_group

    # -- life -------------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if not self.key:
            made = self.command("account", "add", "shop", "--json")
            self.key, self.secret = made["key"], made["secret"]
            self.command("domain", "add", DOMAIN, "--account", "shop", "--verified", "--json")
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None:
            code = await self.stop()
            assert code == 0, f"serve ended with {code}:\n{self.log()[-4000:]}"

    async def start(self) -> None:
        with open(self.folder / "serve.log", "ab") as log:
            self.process = subprocess.Popen([*self._within, *ESTAFETTE, "serve", "--config", str(self.config)],
                                            stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.folder,
                                            start_new_session=self._own_group)  # fmt: skip
        assert self.process.stdout is not None
        try:
            line = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), START_S)
        except TimeoutError:
            line = ""
        if not line.startswith("ready"):
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"not ready: {line!r}\n{self.log()[-4000:]}")
        self.ports = {role: int(port) for role, port in re.findall(r"(\w+)=\S*?:(\d+)(?= |$)", line.strip())}

    async def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 40.0) -> int:
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            code = await asyncio.wait_for(asyncio.to_thread(process.wait), timeout_s)
        except TimeoutError:
            process.kill()
            code = process.wait()
        assert process.stdout is not None
        process.stdout.close()
        return code

    async def kill(self) -> None:
        """SIGKILL to the supervisor and all its workers at once, as when the machine is lost. Needs `own_group`."""
        assert self.process is not None and self._own_group
        process, self.process = self.process, None
        os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        assert process.stdout is not None
        process.stdout.close()

    def worker_pids(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def log(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "serve.log").read_text("utf-8", "replace")
        return ""

    # -- the command line -------------------------------------------------------------------------------------------------

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._within, *ESTAFETTE, *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=self.folder)

    def command(self, *arguments: str) -> Any:
        """The one JSON object that a command prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def messages(self, *arguments: str) -> list[dict[str, Any]]:
        done = self.run("message", "list", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def message(self, message_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.command("message", "show", str(message_id), "--json")
        return found

    def states(self) -> dict[str, int]:
        """How many messages there are in each state."""
        found: dict[str, int] = {}
        for message in self.messages():
            found[message["state"]] = found.get(message["state"], 0) + 1
        return found

    async def settled(self, count: int, timeout_s: float = 90.0) -> list[dict[str, Any]]:
        """The messages once there are `count` of them and all are in a final state."""
        deadline = time.monotonic() + timeout_s
        while True:
            is_over = time.monotonic() > deadline
            if is_over or await self._is_at_rest(count):  # a look costs a hundredth of a command
                found = await asyncio.to_thread(self.messages)
                if len(found) >= count and all(m["state"] in ("delivered", "hard_bounced", "soft_bounced", "blocked") for m in found):
                    assert len(found) == count
                    return found
            else:
                found = []
            assert not is_over, f"{len(found)} of {count} messages: {[(m['to'], m['state']) for m in found][:20]}\n{self.log()[-3000:]}"
            await asyncio.sleep(0.2)

    async def _is_at_rest(self, count: int) -> bool:
        """Whether so many messages were accepted and nothing waits, asked of the database itself."""
        try:
            store = await open_store(self.database_url, StatusPolicy(), SystemClock(), 1)
        except StoreFault:
            return False
        try:
            audit = await store.audit()
            return audit.accepted >= count and not audit.queued
        except StoreFault:
            return False
        finally:
            await store.close()

    async def reaches(self, state: str, count: int = 1, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """The messages in `state` once there are `count` of them."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = [m for m in await asyncio.to_thread(self.messages) if m["state"] == state]
            if len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} of {count} are {state}: {self.states()}\n{self.log()[-3000:]}"
            await asyncio.sleep(0.1)

    def assert_nothing_is_missing(self) -> None:
        audit = self.command("audit", "--json")
        assert audit["difference"] == 0, audit

    # -- sending ----------------------------------------------------------------------------------------------------------

    @property
    def smtp_port(self) -> int:
        return self.ports["submission"]

    @property
    def http_url(self) -> str:
        return f"http://{self.host}:{self.ports['http']}"

    def connect(self) -> smtplib.SMTP:
        client = smtplib.SMTP(self.host, self.smtp_port, timeout=self.client_timeout_s)
        client.login(self.key, self.secret)
        return client

    def send(self, recipients: str | Sequence[str], content: bytes | None = None, author: str = f"news@{DOMAIN}") -> None:
        """One transaction by smtplib."""
        with self.connect() as client:
            client.sendmail(author, recipients, content if content is not None else mail(author=author))


def mail(subject: str = "Hello", body: bytes = b"Hello\r\n", author: str = f"news@{DOMAIN}", fields: str = "") -> bytes:
    """A small mail with CRLF line ends."""
    return f"From: News <{author}>\r\nTo: someone@example.net\r\nSubject: {subject}\r\n{fields}\r\n".encode() + body


def environment() -> dict[str, str]:
    """The environment of a client program."""
    return {**os.environ, "LC_ALL": "C"}
