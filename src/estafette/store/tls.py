"""Shelf: TLS policies of domains, and what became of TLS towards them."""

from collections.abc import Mapping

from estafette.nouns import TlsResult
from estafette.store.unit import Many, Rows, Runner, Unit


class Tls:
    """`store.tls`."""

    def __init__(self, driver: Runner) -> None:
        self._driver = driver

    async def keep_policy(self, domain: str, record_id: str, policy: str, until: int) -> None:
        """Remember a policy file until then. Unsynced."""
        await self._driver.write(lambda: _keep(domain, record_id, policy, until), is_synced=False)

    async def policy(self, domain: str, now: int) -> tuple[str, str, int] | None:
        """(id of its record, file, until when) of a policy that still holds."""
        return await self._driver.read(lambda: _policy(domain, now))

    async def count(self, day: int, counts: Mapping[TlsResult, int]) -> None:
        """Add sessions of a day. Unsynced."""
        await self._driver.write(lambda: _count(day, counts), is_synced=False)

    async def results(self, day: int, domain: str | None = None) -> list[tuple[TlsResult, int]]:
        """The sessions of a day (days since 1970), to all domains or one."""
        return await self._driver.read(lambda: _results(day, domain))


def _keep(domain: str, record_id: str, policy: str, until: int) -> Unit[None]:
    yield Many("sts_put", [(domain, record_id, policy, until)])


def _policy(domain: str, now: int) -> Unit[tuple[str, str, int] | None]:
    rows = yield Rows("sts_get", (domain, now))
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else None


def _count(day: int, counts: Mapping[TlsResult, int]) -> Unit[None]:
    rows = [(day, r.domain, r.policy_type, r.policy, r.mx, r.source, r.outcome, count) for r, count in counts.items()]
    if rows:
        yield Many("tls_count", sorted(rows))


def _results(day: int, domain: str | None) -> Unit[list[tuple[TlsResult, int]]]:
    return [(TlsResult(*row[:6]), row[6]) for row in (yield Rows("tls_results", (day, domain)))]
