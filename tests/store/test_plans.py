"""What a worker asks about the queue every few seconds goes by an index: a walk through a million waiting messages would cost a tenth of a second each time."""

from typing import Any

from estafette.clock import SystemClock
from estafette.status.blocking import StatusPolicy
from estafette.store import queries
from estafette.store.opening import open_store

ASKED_AGAIN_AND_AGAIN = ("held_by", "reclaim", "guard_held", "guard_release", "past_deadline", "submission_waiting", "claim_group", "held_release")


async def test_no_walk_through_the_queue(database_url: str) -> None:
    store = await open_store(database_url, StatusPolicy(), SystemClock(), 1)
    try:
        plans = await _plans_of_sqlite(store.driver) if store.driver.dialect == "sqlite" else await _plans_of_postgres(store.driver)
    finally:
        await store.close()
    walks = {name: plan for name, plan in plans.items() if any(map(_is_walk, plan))}
    assert len(plans) == len(ASKED_AGAIN_AND_AGAIN)
    assert walks == {}


def _is_walk(step: str) -> bool:
    return "Seq Scan on queue" in step or (step.startswith("SCAN q") and "USING" not in step)


async def _plans_of_sqlite(driver: Any) -> dict[str, list[str]]:
    texts, connection = queries.load("sqlite"), driver._connect()
    try:
        return {name: [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {texts[name]}", [1] * _parameters(texts[name]))]
                for name in ASKED_AGAIN_AND_AGAIN}  # fmt: skip
    finally:
        connection.close()


async def _plans_of_postgres(driver: Any) -> dict[str, list[str]]:
    texts, plans = queries.load("postgres"), {}
    async with driver._pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")  # so that few rows do not make a walk the cheapest
        await connection.execute("SET plan_cache_mode = force_generic_plan")  # the parameters are not known, as after a few calls
        for name in ASKED_AGAIN_AND_AGAIN:
            count = _parameters(texts[name])
            await connection.execute(f"PREPARE {name} AS {texts[name]}")
            values = f" ({', '.join(['NULL'] * count)})" if count else ""
            plans[name] = [step for (step,) in map(tuple, await connection.fetch(f"EXPLAIN EXECUTE {name}{values}"))]
    return plans


def _parameters(sql: str) -> int:
    """How many there are."""
    return max(number for number in range(20) if number == 0 or f"${number}" in sql or f"?{number}" in sql)
