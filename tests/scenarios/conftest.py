"""The world around a scenario: a DNS server and a receiving MX, and Estafette on either database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.platform import Platform
from tests.world.dns import DnsServer
from tests.world.mx import MxServer

ZONE = {
    ("dest.example", "MX"): ["10 mx.dest.example"],
    ("other.example", "MX"): ["10 mx.dest.example"],  # the same site under another domain
    ("mx.dest.example", "A"): ["127.0.0.1"],
    ("implicit.example", "A"): ["127.0.0.1"],
    ("null.example", "MX"): ["0 ."],
}


@dataclass
class World:
    """Everything outside of the platform."""

    dns: DnsServer
    mx: MxServer
    folder: Path
    database_url: str

    def platform(self, **options: Any) -> Platform:
        return Platform(self.folder, self.database_url, dns=self.dns.server, mx_port=self.mx.port, **options)


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with DnsServer(dict(ZONE)) as dns, MxServer() as mx:
        yield World(dns, mx, tmp_path, database_url)
        assert mx.violations == []


@pytest.fixture
async def small_world(tmp_path: Path) -> AsyncIterator[World]:
    """The same on SQLite only, for what does not depend on the database."""
    async with DnsServer(dict(ZONE)) as dns, MxServer() as mx:
        yield World(dns, mx, tmp_path, f"sqlite:///{tmp_path}/estafette.db")
        assert mx.violations == []
