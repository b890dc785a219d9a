"""What a database must offer to the verbs: `sqlite.py` and `postgres.py` do."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from estafette.store.days import Day
from estafette.store.unit import MakeUnit

T = TypeVar("T")


class Driver(Protocol):
    """Runs units, each in one transaction."""

    dialect: str
    syncs: int

    async def write(self, make_unit: MakeUnit[T], *, is_synced: bool = True) -> T: ...
    async def read(self, make_unit: MakeUnit[T]) -> T: ...
    async def keep_days(self, days: Sequence[Day], contents_before: int, history_before: int) -> tuple[int, int]: ...
    async def close(self) -> None: ...
