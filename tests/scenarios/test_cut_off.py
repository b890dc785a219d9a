"""Two machines that are really two: each in a network namespace of its own, joined by a bridge to a third in which the database, the DNS and the receiving
servers are. The cable of one is pulled: nothing that it says arrives any more, and nobody is told so.

The namespaces are made and removed here; what runs in the third is `in_namespaces.py`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers import postgres

pytestmark = pytest.mark.timeout(280)


def ip(*words: str, inside: str = "") -> None:
    subprocess.run(["ip", *(["-n", inside] if inside else []), *words], check=True, capture_output=True, text=True)


@pytest.fixture
def namespaces() -> Iterator[str]:
    """The common beginning of the names of three namespaces: `…w` (the world, 10.77.0.1 and all of 10.77.1.0/24), `…a` (10.77.0.2) and `…b` (10.77.0.3)."""
    name = f"estafette-{os.getpid()}-"
    if os.getuid() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("netns", "add", f"{name}w")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no network namespaces: {error.stderr}")
    try:
        world = f"{name}w"
        ip("link", "add", "name", "br0", "type", "bridge", inside=world)
        for link in ("br0", "lo"):
            ip("link", "set", link, "up", inside=world)
        ip("addr", "add", "10.77.0.1/24", "dev", "br0", inside=world)
        ip("route", "add", "local", "10.77.1.0/24", "dev", "lo", inside=world)
        for n, machine in enumerate("ab", 2):
            ip("netns", "add", f"{name}{machine}")
            ip("link", "add", "name", machine, "type", "veth", "peer", "name", "eth0", "netns", f"{name}{machine}", inside=world)
            ip("link", "set", "dev", machine, "master", "br0", "up", inside=world)
            ip("link", "set", "lo", "up", inside=f"{name}{machine}")
            ip("link", "set", "eth0", "up", inside=f"{name}{machine}")
            ip("addr", "add", f"10.77.0.{n}/24", "dev", "eth0", inside=f"{name}{machine}")
            ip("route", "add", "default", "via", "10.77.0.1", inside=f"{name}{machine}")
        yield name
    finally:
        for end in "abw":
            subprocess.run(["ip", "netns", "del", f"{name}{end}"], capture_output=True)


def test_a_machine_that_is_cut_off_harms_nobody(namespaces: str, tmp_path: Path) -> None:
    if postgres.find_binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    inner = [sys.executable, "-m", "pytest", "-q", "-s", "-n", "0", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/inner",
             "tests/scenarios/in_namespaces.py"]  # fmt: skip
    done = subprocess.run(["ip", "netns", "exec", f"{namespaces}w", *inner], capture_output=True, text=True, timeout=270,
                          env={**os.environ, "ESTAFETTE_TEST_NAMESPACES": namespaces})  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    print(done.stdout)
    assert "1 passed" in done.stdout
