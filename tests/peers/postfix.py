"""Starts an own Postfix instance in a temporary directory, as a relay or as a destination, and always ends it.

The machine's own Postfix and its files are never touched: configuration, queue, data and log are in the instance's directory, and every command gets it
by `-c`. The master runs as root (Postfix wants that), everything else as user `postfix`.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

START_S = 15.0
STOP_S = 10.0
COMMAND_S = 30.0

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup     unix  n - n 60    1 pickup
cleanup    unix  n - n -     0 cleanup
qmgr       unix  n - n 300   1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n -     - trivial-rewrite
bounce     unix  - - n -     0 bounce
defer      unix  - - n -     0 bounce
trace      unix  - - n -     0 bounce
verify     unix  - - n -     1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n -     - proxymap
proxywrite unix  - - n -     1 proxymap
smtp       unix  - - n -     - smtp
relay      unix  - - n -     - smtp
showq      unix  n - n -     - showq
error      unix  - - n -     - error
retry      unix  - - n -     - error
discard    unix  - - n -     - discard
local      unix  - n n -     - local
virtual    unix  - n n -     - virtual
lmtp       unix  - - n -     - lmtp
anvil      unix  - - n -     1 anvil
scache     unix  - - n -     1 scache
postlog    unix-dgram n - n - 1 postlogd
"""
"""Debian's master.cf without chroot: an instance of minutes needs no jail, and the jail would need files of the machine."""


def why_not() -> str:
    """What is missing for an instance; empty: nothing."""
    if shutil.which("postfix", path="/usr/sbin:/usr/bin:/sbin") is None:
        return "Postfix is not installed (apt-get install postfix)"
    if os.getuid() != 0:
        return "Postfix can only be started by root"
    return ""


def skip_unless_possible() -> None:
    """Skip the calling test, loudly, where no instance can be started."""
    why = why_not()
    if why:
        print(f"\n*** {why}: tests with Postfix as a peer are skipped ***", file=sys.stderr)
        pytest.skip(why)


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running instance."""

    directory: Path
    port: int
    master: int  # process id; all other processes of the instance are its children

    @property
    def maildir(self) -> Path:
        """Where a destination keeps what it accepted, one file per mail."""
        return self.directory / "mail" / "inbox"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "maillog"

    def kept(self) -> list[bytes]:
        """The mails of a destination's Maildir, oldest first."""
        return [path.read_bytes() for path in sorted((self.maildir / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)]

    def wait_for_kept(self, count: int, timeout_s: float = 20.0) -> list[bytes]:
        """The mails as soon as there are `count`; AssertionError with the end of the log when they do not come in time."""
        until = time.monotonic() + timeout_s
        while len(kept := self.kept()) < count:
            if time.monotonic() > until:
                raise AssertionError(f"{len(kept)} of {count} mails are in the Maildir; log: {self.last_words()}")
            time.sleep(0.05)
        return kept

    def last_words(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else "(no log)"

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `postfix -c DIRECTORY words`."""
        return _postfix(self.directory / "etc", *words)

    def stop(self) -> None:
        """End the instance, politely and then not, and remove its directory. May be called twice."""
        try:
            if self._is_ours(self.master):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.command("stop")
                if not self._has_gone(STOP_S):
                    family = children(self.master)
                    for pid in [self.master, *family]:  # children of a dead master would end by themselves, but not at once
                        if self._is_ours(pid) or pid in family:
                            with contextlib.suppress(ProcessLookupError):
                                os.kill(pid, signal.SIGKILL)
                    if not self._has_gone(STOP_S):
                        raise RuntimeError(f"Postfix master {self.master} cannot be ended")
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _has_gone(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        while self._is_ours(self.master):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def _is_ours(self, pid: int) -> bool:
        """Whether this process id still is the master that was started here, and not a stranger who got its number."""
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return f"MAIL_CONFIG={self.directory}/etc".encode() in environment


def children(pid: int) -> list[int]:
    """The processes that a process started and that are still there."""
    with contextlib.suppress(OSError):
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return []


def start_relay(next_hop: tuple[str, int], *, settings: Mapping[str, str] | None = None, master: str = MASTER) -> Postfix:
    """An instance that takes mail from loopback without login and hands all of it to one host, whatever its domain."""
    host, port = next_hop
    return start({"relayhost": f"[{host}]:{port}", "mydestination": "", "smtpd_sasl_auth_enable": "no", **(settings or {})}, master=master)


def start_destination(domain: str, *, forward_to: tuple[str, int] | None = None, settings: Mapping[str, str] | None = None) -> Postfix:
    """An instance that accepts every address of a domain and keeps its mail in a Maildir, or forwards it to another host; nothing else is relayed."""
    closed = {"mydestination": "", "mynetworks": "127.255.255.255/32", "smtpd_relay_restrictions": "reject_unauth_destination"}
    if forward_to is None:
        user = pwd.getpwnam("nobody")
        keep = {"virtual_mailbox_domains": domain, "virtual_mailbox_base": "$queue_directory/../mail", "virtual_mailbox_maps": "static:inbox/",
                "virtual_uid_maps": f"static:{user.pw_uid}", "virtual_gid_maps": f"static:{user.pw_gid}", "virtual_mailbox_limit": "0"}  # fmt: skip
    else:
        keep = {"relay_domains": domain, "relay_recipient_maps": "", "relay_transport": f"relay:[{forward_to[0]}]:{forward_to[1]}"}
    return start({**closed, **keep, **(settings or {})})


def start(settings: Mapping[str, str], *, master: str = MASTER) -> Postfix:
    """Make the directory, start the instance, and wait until it answers on its port. `settings` are added to main.cf."""
    directory = Path(tempfile.mkdtemp(prefix="postfix-"))
    try:
        directory.chmod(0o755)  # user postfix passes through it; pytest's own directories are closed to others and would not do
        return _start(directory, settings, master)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _start(directory: Path, settings: Mapping[str, str], master: str) -> Postfix:
    user, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
    for name, owner in (("etc", 0), ("queue", 0), ("log", 0), ("data", user.pw_uid), ("mail", nobody.pw_uid)):
        (directory / name).mkdir(mode=0o755)
        os.chown(directory / name, owner, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    main = {
        "compatibility_level": "3.6",
        "queue_directory": str(directory / "queue"),
        "data_directory": str(directory / "data"),
        "maillog_file": str(directory / "log" / "maillog"),
        "maillog_file_prefixes": str(directory),
        "myhostname": "postfix.test",
        "inet_interfaces": "loopback-only",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "alias_maps": "",
        "alias_database": "",
        "local_recipient_maps": "",
        "smtpd_tls_security_level": "none",
        "smtp_tls_security_level": "none",
        "biff": "no",
        "append_dot_mydomain": "no",
        **settings,
    }
    configuration = directory / "etc"
    (configuration / "main.cf").write_text("".join(f"{key} = {value}\n" for key, value in main.items()))
    (configuration / "master.cf").write_text(master.format(port=port))
    started = _postfix(configuration, "start")
    instance = Postfix(directory, port, _master_of(directory))
    if started.returncode != 0 or not instance.master:
        raise RuntimeError(f"Postfix did not start (exit code {started.returncode}): {started.stdout}{started.stderr}{instance.last_words()}")
    try:
        _wait_until_it_answers(instance)
    except BaseException:
        instance.stop()
        raise
    return instance


def _wait_until_it_answers(instance: Postfix) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", instance.port), 5) as probe:
                if probe.recv(4) == b"220 ":
                    probe.sendall(b"QUIT\r\n")
                    return
        except OSError as error:
            if time.monotonic() > until:
                raise RuntimeError(f"Postfix does not answer: {error}; log: {instance.last_words()}") from error
        time.sleep(0.02)


def _postfix(configuration: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # a master that was started with our pipes would keep them open, and we would wait for its end instead of the command's
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(["/usr/sbin/postfix", "-c", configuration, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=COMMAND_S)
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")


def _master_of(directory: Path) -> int:
    """The process id that the master wrote down; 0: none."""
    try:
        return int((directory / "queue" / "pid" / "master.pid").read_text())
    except (OSError, ValueError):
        return 0
