"""The contents in memory: shared, bounded, given back."""

import asyncio
from collections.abc import Sequence

import pytest

from estafette.deliver import contents as contents_module
from estafette.deliver.contents import BATCH, Contents, Missing
from estafette.model import Content, Options
from estafette.store.seam import StoreFault


class Shelf:
    """The one verb of the store that is asked here."""

    def __init__(self, size_bytes: int = 100_000) -> None:
        self.size_bytes = size_bytes
        self.asked: list[tuple[int, ...]] = []
        self.faults = 0

    async def contents(self, ids: Sequence[int]) -> dict[int, Content]:
        self.asked.append(tuple(ids))
        await asyncio.sleep(0.001)
        if self.faults:
            self.faults -= 1
            raise StoreFault("gone")
        return {i: a_content(i, self.size_bytes) for i in ids if i < 1000}


def a_content(submission_id: int, size_bytes: int = 100_000) -> Content:
    return Content(submission_id, 1, "b@a.test", "a@a.test", Options(), 0, False, b"x" * size_bytes)


def held_bytes(contents: Contents) -> int:
    return sum(len(h.content.raw) for h in contents._held.values())


async def test_many_at_once_stay_within_the_limit_and_one_batch() -> None:
    """All of them found room when nothing was loaded yet."""
    shelf = Shelf()
    contents = Contents(shelf, 1_000_000)  # type: ignore[arg-type]
    most = 0

    async def use(number: int) -> None:
        nonlocal most
        held = await contents.take(number)
        most = max(most, held_bytes(contents))
        await asyncio.sleep(0.002)
        contents.give_back(held)

    async with asyncio.timeout(30):
        await asyncio.gather(*(use(n) for n in range(300)))
    assert most <= (1_000_000 + contents_module.COPIES * BATCH * shelf.size_bytes) / contents_module.COPIES
    assert contents._held == {} and contents._bytes == 0


async def test_one_load_serves_all_who_wait() -> None:
    shelf = Shelf()
    contents = Contents(shelf, 10_000_000)  # type: ignore[arg-type]
    held = await asyncio.gather(*(contents.take(7) for _ in range(20)))
    assert len({id(h) for h in held}) == 1 and held[0].users == 20 and sum(7 in ids for ids in shelf.asked) == 1
    for one in held:
        contents.give_back(one)
    assert contents._held == {}


async def test_a_mail_larger_than_the_limit_goes_out_all_the_same() -> None:
    contents = Contents(Shelf(5_000_000), 1_000_000)  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        assert len((await contents.take(1)).content.raw) == 5_000_000
        await contents.take(2)


async def test_who_is_gone_and_a_store_that_fails_harm_only_those_who_asked() -> None:
    shelf = Shelf(10)
    contents = Contents(shelf, 1_000_000)  # type: ignore[arg-type]
    with pytest.raises(Missing):
        await contents.take(5000)
    shelf.faults = 1
    with pytest.raises(StoreFault):
        await contents.take(1)
    assert (await contents.take(1)).users == 1


async def test_the_door_fills_one_half_only() -> None:
    contents = Contents(Shelf(), 1_000_000)  # type: ignore[arg-type]
    number = 0
    while contents.has_room(100_000):
        number += 1
        contents.keep(a_content(number), 1)
    async with asyncio.timeout(30):
        assert (await contents.take(500)).users == 1
    assert number == 2
