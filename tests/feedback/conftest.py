"""One fresh ground per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.feedback.ground import Ground, make_ground


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    made = await make_ground(tmp_path)
    yield made
    await made.store.close()
