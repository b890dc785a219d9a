"""Starts what is compared, each fresh in a temporary directory, relaying everything to the sink: Postfix, Postfix with OpenDKIM, Estafette.

What "tuned" means is in `TUNED`; everything else is as Debian delivers it. All of them sync an accepted mail to disk before they answer.
"""

import contextlib
import json
import os
import pwd
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.peers import postfix
from tests.peers.postgres import start_cluster

from bench.cpu import tree_of

REPOSITORY: Final = Path(__file__).parents[1]
DOMAIN: Final = "bench.test"  # where all mail goes
SIGNED_SENDER: Final = "a@bench-sender.test"
PLAIN_SENDER: Final = "a@plain-sender.test"
START_S: Final = 30.0
STOP_S: Final = 20.0
LIFETIME_S: Final = 900.0  # what we start ends by itself after so long, where it can

TUNED: Final = {
    "default_process_limit": "200",
    "max_use": "10000",
    "smtpd_peername_lookup": "no",
    "in_flow_delay": "0",
    "initial_destination_concurrency": "20",
    "default_destination_concurrency_limit": "50",
    "default_destination_concurrency_positive_feedback": "1",
    "smtp_connection_cache_destinations": "static:all",
    "smtp_connection_cache_time_limit": "10s",
    "smtp_connection_reuse_count_limit": "1000",
    "smtp_host_lookup": "native",
    "hash_queue_names": "deferred, defer",
    "smtpd_client_event_limit_exceptions": "127.0.0.0/8",
    "smtpd_client_connection_count_limit": "0",
}
"""More processes that live longer, connections to the sink that are reused, no waiting for the queue manager, no look-ups of names."""


class CannotStart(Exception):
    """A peer that is not installed, or did not come up; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One that runs and takes mail."""

    port: int
    roots: tuple[int, ...]  # process ids whose trees are the peer
    login: str = ""  # "user:password"
    sender: str = PLAIN_SENDER


@dataclass(frozen=True, slots=True)
class Kind:
    """One that can be started: `start(sink_port, with_dkim)`."""

    name: str
    signs: tuple[bool, ...]  # with DKIM, without, or both
    family: str  # "postfix", "opendkim" or "estafette": ratios are to the fastest of a family
    start: Callable[[int, bool], AbstractContextManager[Peer]]


@contextmanager
def run_postfix(sink_port: int, *, tuned: bool) -> Iterator[Peer]:
    """Postfix alone."""
    _needs_postfix()
    with postfix.start_relay(("127.0.0.1", sink_port), settings=TUNED if tuned else {}) as instance:
        yield Peer(instance.port, (instance.master,))


@contextmanager
def run_opendkim(sink_port: int, *, tuned: bool, over_tcp: bool) -> Iterator[Peer]:
    """Postfix with OpenDKIM as its milter, signing with RSA-2048."""
    _needs_postfix()
    program = shutil.which("opendkim", path="/usr/sbin:/usr/bin")
    if program is None:
        raise CannotStart("OpenDKIM is not installed (apt-get install opendkim)")
    with directory("opendkim-") as folder:
        user = pwd.getpwnam("opendkim")
        os.chown(folder, user.pw_uid, user.pw_gid)
        key = folder / "key.pem"
        key.write_bytes(rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))  # fmt: skip
        key.chmod(0o600)
        os.chown(key, user.pw_uid, user.pw_gid)
        port = free_port()
        settings = {
            "Socket": f"inet:{port}@127.0.0.1" if over_tcp else f"local:{folder}/socket", "UMask": "000", "UserID": "opendkim", "Mode": "s",
            "Domain": "*", "Selector": "bench", "KeyFile": str(key), "Canonicalization": "relaxed/relaxed", "SignatureAlgorithm": "rsa-sha256",
            "InternalHosts": "127.0.0.1", "Syslog": "no", "Background": "no", "OversignHeaders": "From",
            "RequireSafeKeys": "no",  # it minds that /tmp is everybody's
        }  # fmt: skip
        (folder / "opendkim.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        with process([program, "-f", "-x", str(folder / "opendkim.conf")], folder / "log") as milter:
            _wait_for(lambda: _answers(port) if over_tcp else (folder / "socket").exists(), milter, folder / "log", "OpenDKIM")
            address = f"inet:127.0.0.1:{port}" if over_tcp else f"unix:{folder}/socket"
            milters = {"smtpd_milters": address, "milter_default_action": "tempfail", "milter_protocol": "6"}  # never a mail without signature
            with postfix.start_relay(("127.0.0.1", sink_port), settings={**(TUNED if tuned else {}), **milters}) as instance:
                yield Peer(instance.port, (instance.master, milter.pid), sender=SIGNED_SENDER)


@contextmanager
def run_on_postgres(sink_port: int, *, with_dkim: bool) -> Iterator[Peer]:
    """The same with a PostgreSQL of its own, whose CPU counts."""
    cluster = start_cluster()
    try:
        with run_estafette(sink_port, with_dkim=with_dkim, database_url=cluster.dsn()) as peer:
            yield replace(peer, roots=(*peer.roots, cluster.process.pid))
    finally:
        cluster.stop()


@contextmanager
def run_estafette(sink_port: int, *, with_dkim: bool, database_url: str = "") -> Iterator[Peer]:
    """Estafette with SQLite (or the given database) and its defaults: tracking and status on, as many workers as there are cores."""
    program = Path(sys.executable).with_name("estafette")
    if not program.exists():
        raise CannotStart(f"there is no {program}")
    zone = {f"{DOMAIN} MX": [f"10 mx.{DOMAIN}"], f"mx.{DOMAIN} A": ["127.0.0.1"]}
    with directory("estafette-") as folder:
        asked = [sys.executable, "-m", "tests.world.dns", json.dumps(zone), "--lifetime-s", str(LIFETIME_S)]
        with process(asked, folder / "dns.log") as dns:
            dns_server = wait_for_line(dns, "ready", folder / "dns.log").split()[1]
            port = free_port()
            configuration, url = folder / "estafette.toml", database_url or f"sqlite:///{folder}/estafette.db"
            configuration.write_text(
                f'[server]\nhostname = "relay.bench-sender.test"\n[database]\nurl = "{url}"\n'
                f'[submission]\nlisten = ["127.0.0.1:{port}"]\n[http]\nlisten = "127.0.0.1:{free_port()}"\n'
                f'[inbound]\nlisten = ["127.0.0.1:{free_port()}"]\n[delivery]\nport = {sink_port}\ndns = ["{dns_server}"]\n[log]\nlevel = "warning"\n'
            )

            def command(*words: str) -> str:
                done = subprocess.run([program, *words, "--json", "--config", configuration], capture_output=True, text=True, timeout=60, env=_environment())
                if done.returncode != 0:
                    raise CannotStart(f"estafette {' '.join(words[:2])}: {done.stderr[-500:] or done.stdout[-500:]}")
                return done.stdout

            account = json.loads(command("account", "add", "bench"))
            if with_dkim:
                command("domain", "add", SIGNED_SENDER.partition("@")[2], "--account", "bench", "--verified")
            else:
                command("sender", "add", PLAIN_SENDER, "--account", "bench", "--verified")
            with process([str(program), "serve", "--config", str(configuration)], folder / "log") as server:
                wait_for_line(server, "ready", folder / "log")
                yield Peer(port, (server.pid,), f"{account['key']}:{account['secret']}", SIGNED_SENDER if with_dkim else PLAIN_SENDER)


KINDS: Final = (
    Kind("Postfix, Debian defaults", (False,), "postfix", lambda sink, _: run_postfix(sink, tuned=False)),
    Kind("Postfix, tuned", (False,), "postfix", lambda sink, _: run_postfix(sink, tuned=True)),
    Kind("Postfix + OpenDKIM, TCP", (True,), "opendkim", lambda sink, _: run_opendkim(sink, tuned=False, over_tcp=True)),
    Kind("Postfix + OpenDKIM, tuned, unix socket", (True,), "opendkim", lambda sink, _: run_opendkim(sink, tuned=True, over_tcp=False)),
    Kind("Postfix + OpenDKIM, tuned, TCP", (True,), "opendkim", lambda sink, _: run_opendkim(sink, tuned=True, over_tcp=True)),
    Kind("Estafette", (True, False), "estafette", lambda sink, with_dkim: run_estafette(sink, with_dkim=with_dkim)),
    Kind("Estafette on PostgreSQL", (True, False), "estafette", lambda sink, with_dkim: run_on_postgres(sink, with_dkim=with_dkim)),
)


@contextmanager
def directory(prefix: str) -> Iterator[Path]:
    """A temporary directory that other users may pass through."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def process(words: list[str], log: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with its standard output to be read and its errors in a file; at the end SIGTERM, and after `STOP_S` SIGKILL to it and its children."""
    with log.open("wb") as errors:
        started = subprocess.Popen(words, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, env=_environment())
    try:
        yield started
    finally:
        if started.poll() is None:
            started.terminate()
            try:
                started.wait(STOP_S)
            except subprocess.TimeoutExpired:
                for pid in reversed(tree_of([started.pid])):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, 9)
                started.wait(STOP_S)
        if started.stdout is not None:
            started.stdout.close()


def wait_for_line(started: subprocess.Popen[str], beginning: str, log: Path) -> str:
    """The first line of standard output that begins so; CannotStart when the process ends or is silent for too long."""
    assert started.stdout is not None
    until = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        selector.register(started.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            line = started.stdout.readline()
            if line.startswith(beginning):
                return line
            if not line:
                break
    raise CannotStart(f"{' '.join(map(str, started.args))[:200]}: no line {beginning!r}; {log.read_text(errors='replace')[-800:]}")  # type: ignore[arg-type]


def free_port() -> int:
    """A loopback port that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _needs_postfix() -> None:
    why = postfix.why_not()
    if why:
        raise CannotStart(why)


def _environment() -> dict[str, str]:
    """Ours without settings of Estafette, which would override the configuration of the benchmark."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ESTAFETTE_")}


def _wait_for(is_there: Callable[[], bool], started: subprocess.Popen[str], log: Path, name: str) -> None:
    until = time.monotonic() + START_S
    while not is_there():
        if started.poll() is not None or time.monotonic() > until:
            raise CannotStart(f"{name} did not start: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
