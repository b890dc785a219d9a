"""Fixtures that every room's tests share: real databases."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.peers import postgres

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is not a defect
settings.load_profile("house")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """A running PostgreSQL: the one in ESTAFETTE_TEST_POSTGRES, else an own cluster for this test run."""
    given = os.environ.get("ESTAFETTE_TEST_POSTGRES")
    if given:
        yield given
        return
    if postgres.find_binaries() is None:
        print("\n*** PostgreSQL is not installed: its half of the tests is skipped (apt-get install postgresql) ***", file=sys.stderr)
        pytest.skip("PostgreSQL is not installed")
    cluster = postgres.start_cluster()
    yield cluster.dsn()
    cluster.stop()


@pytest.fixture
def fresh_postgres(postgres_dsn: str) -> str:
    """A DSN of a new, empty database."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    subprocess.run(["psql", "-q", postgres_dsn, "-c", f"CREATE DATABASE {name}"], check=True, capture_output=True)
    return postgres_dsn.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same test on both databases, each new and empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/estafette.db"
    url: str = request.getfixturevalue("fresh_postgres")
    return url
