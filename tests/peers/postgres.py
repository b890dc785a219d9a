"""Starts a real PostgreSQL cluster in a temporary directory, for one test run, and stops it by its process id."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`; Debian keeps them out of PATH."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "postgres").exists():
            return folder
    found = shutil.which("postgres")
    return Path(found).parent if found else None


@dataclass(frozen=True, slots=True)
class Cluster:
    port: int
    process: subprocess.Popen[bytes]
    directory: Path
    address: str = "127.0.0.1"

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://estafette@{self.address}:{self.port}/{database}"

    def stop(self) -> None:
        """Fast shutdown, which does not wait for clients; immediate when that takes too long. The data is thrown away either way."""
        for number, patience_s in ((signal.SIGINT, 10), (signal.SIGQUIT, 20), (signal.SIGKILL, 20)):
            self.process.send_signal(number)
            try:
                self.process.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                continue
        shutil.rmtree(self.directory, ignore_errors=True)


def start_cluster(address: str = "127.0.0.1") -> Cluster:
    """initdb and start on a free loopback port with fsync on, in a folder of its own (pytest keeps its folders closed to other users).
    PostgreSQL refuses to run as root: user `postgres` does it then."""
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("no PostgreSQL server is installed (apt-get install postgresql)")
    directory = Path(tempfile.mkdtemp(prefix="estafette-pg-"))
    as_user = as_postgres(directory)
    data = directory / "data"
    subprocess.run([*as_user, binaries / "initdb", "-D", data, "-U", "estafette", "-A", "trust", "-E", "UTF8", "--no-locale"],
                   check=True, capture_output=True, cwd=directory)
    if address != "127.0.0.1":
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {address}/24 trust\n")
    return start_server(directory, as_user, address)


def as_postgres(directory: Path) -> list[str]:
    """What a command that works in `directory` begins with; the folder is given to that user."""
    if os.getuid():
        return []
    user = pwd.getpwnam("postgres")
    os.chown(directory, user.pw_uid, user.pw_gid)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def start_server(directory: Path, as_user: list[str], address: str = "127.0.0.1") -> Cluster:
    """Start what stands in `directory/data` on a free port."""
    binaries = find_binaries()
    assert binaries is not None
    data = directory / "data"
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [*as_user, binaries / "postgres", "-D", data, "-c", f"listen_addresses={address}", "-p", str(port), "-k", str(directory), "-c", "max_connections=100"],
        cwd=directory, stdout=subprocess.DEVNULL, stderr=(directory / "log").open("wb"))
    for _ in range(200):
        ready = subprocess.run([binaries / "pg_isready", "-h", address, "-p", str(port), "-U", "estafette"], capture_output=True)
        if ready.returncode == 0:
            return Cluster(port, process, directory, address)
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {(directory / 'log').read_text()[-500:]}")
