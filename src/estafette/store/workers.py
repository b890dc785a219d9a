"""Units: worker processes, their incarnations and slots, and the paths that they hold."""

from collections.abc import Sequence

from estafette.model import Flight, Lease
from estafette.store.held import given_back
from estafette.store.seam import Policy, StoreFault, Worker
from estafette.store.unit import Many, Rows, Unit

SLOTS = 64


def join(name: str, lease_until: int, delivers: bool) -> Unit[Worker]:
    """A fresh incarnation under the lowest free slot."""
    taken = {slot for (slot,) in (yield Rows("worker_slots"))}
    slot = next((n for n in range(SLOTS) if n not in taken), None)
    if slot is None:
        raise StoreFault(f"all {SLOTS} worker slots are taken")
    worker_id = (yield Rows("worker_next_id"))[0][0]
    yield Many("worker_add", [(worker_id, slot, name, lease_until, int(delivers))])
    return Worker(worker_id, slot, name, lease_until, delivers)


def heartbeat(worker_id: int, lease_until: int) -> Unit[bool]:
    return bool((yield Rows("worker_prolong", (worker_id, lease_until))))


def retire(worker_id: int, now: int, flights: Sequence[Flight] | None, policy: Policy) -> Unit[int]:
    """Declare a worker gone: nothing that it held may be settled by it any more."""
    if not (yield Rows("worker_remove", (worker_id,))):
        return 0
    yield Rows("paths_release_all", (worker_id,))
    rows = yield Rows("reclaim", (worker_id,))
    yield from given_back(rows, worker_id, now, flights, policy)
    return len(rows)


def reclaim(worker_id: int, message_ids: Sequence[int], now: int, policy: Policy) -> Unit[int]:
    """The same for messages of which the worker that holds them knows nothing: no attempt was begun."""
    rows = yield Rows("reclaim_some", (worker_id, list(message_ids)))
    yield from given_back(rows, worker_id, now, (), policy)
    return len(rows)


def workers() -> Unit[list[Worker]]:
    return [Worker(i, slot, name, until, bool(delivers)) for i, slot, name, until, delivers in (yield Rows("workers"))]


def lease_paths(worker_id: int, paths: Sequence[str], now: int, until: int) -> Unit[list[str]]:
    """Sorted order, so that two workers never wait for each other crosswise."""
    held = []
    yield Rows("lease_lock")
    yield Rows("paths_drop_dead", (sorted(paths), worker_id, now))
    for path in sorted(paths):
        if (yield Rows("path_take", (path, worker_id, until))):
            held.append(path)
    return held


def share_path(worker_id: int, lease: Lease, now: int) -> Unit[bool]:
    """The part of a path that `lease` names, unless somebody else holds some of it."""
    yield Rows("lease_lock")
    yield Rows("paths_drop_dead", ([lease.path], worker_id, now))
    if not (yield Rows("workers_of", ([worker_id],))) or (yield Rows("path_overlap", (lease.path, worker_id, lease.low, lease.high))):
        return False
    yield Rows("path_share", (lease.path, worker_id, lease.until, lease.low, lease.high, lease.holders, lease.words))
    return True


def shared_paths() -> Unit[list[Lease]]:
    return [Lease(*row) for row in (yield Rows("paths_shared"))]


def release_paths(worker_id: int, paths: Sequence[str]) -> Unit[None]:
    yield Many("path_release", [(path, worker_id) for path in sorted(paths)])


def leases() -> Unit[list[Lease]]:
    return [Lease(*row) for row in (yield Rows("path_leases"))]


def secret(name: str, fresh: bytes) -> Unit[bytes]:
    """First writer wins."""
    yield Many("secret_put", [(name, fresh)])
    return bytes((yield Rows("secret_get", (name,)))[0][0])
