"""The shelf of routes to customers' programs, on both databases."""

from estafette.clock import SECOND_US, ManualClock
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.parsing import ParseMail

NOW = 1_790_000_000 * SECOND_US


async def test_the_life_of_a_route(database_url: str) -> None:
    store = await open_store(database_url, StatusPolicy(), ManualClock())
    try:
        mine, other = await store.add_account("acme", NOW), await store.add_account("other", NOW)
        route = await store.parsing.add(mine.id, "in@acme.test", "In@acme.test", "https://a.test/1", NOW)
        assert route is not None and await store.parsing.add(other.id, "in@acme.test", "in@acme.test", "https://b.test/", NOW) is None
        assert await store.parsing.route_of("in@acme.test") == route and await store.parsing.route_of("out@acme.test") is None
        assert await store.parsing.change(other.id, route.id, "https://b.test/") is None
        changed = await store.parsing.change(mine.id, route.id, "https://a.test/2")
        assert changed is not None and changed.url == "https://a.test/2"
        assert await store.parsing.routes(other.id) == [] and await store.parsing.routes(mine.id) == await store.parsing.routes() == [changed]

        await store.parsing.take([ParseMail(0, route.id, "a@b.test", "in@acme.test", raw, NOW + n, 0) for n, raw in enumerate((b"one", b"two\0\xff"))])
        assert await store.parsing.due_routes(NOW - 1) == [] and await store.parsing.due_routes(NOW) == [changed]
        first = await store.parsing.due(route.id, NOW + 9)
        assert first is not None and (first.raw, first.reverse_path, first.attempts) == (b"one", "a@b.test", 0)
        await store.parsing.failed(first, NOW + 9, "answered 500", NOW + 90)
        assert await store.parsing.due(route.id, NOW + 89) is None, "what stands behind it rests as well"
        assert [(r.failing_since, r.trouble) for r in await store.parsing.routes()] == [(NOW + 9, "answered 500")]
        second = await store.parsing.due(route.id, NOW + 90)
        assert second is not None and second.attempts == 1
        await store.parsing.told(second)
        third = await store.parsing.due(route.id, NOW + 90)
        assert third is not None and third.raw == b"two\0\xff" and (await store.parsing.routes())[0].failing_since == 0
        await store.parsing.failed(third, NOW + 99, "given up", None)
        assert await store.parsing.waiting([route.id]) == {}
        await store.parsing.take([third])
        assert not await store.parsing.remove(other.id, route.id) and await store.parsing.remove(mine.id, route.id)
        assert await store.parsing.waiting([route.id]) == {} and await store.parsing.routes() == []
    finally:
        await store.close()
