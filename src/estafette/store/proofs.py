"""Units: the proofs of what was done about people's places on lists. They are added in the transaction that changes the place, and never changed."""

from collections.abc import Mapping, Sequence

from estafette.audience import Act, ListAction, Trace
from estafette.store.unit import Many, Unit


def moves(action: ListAction, before: Mapping[int, bool], contact_ids: Sequence[int]) -> tuple[list[tuple[int, Act]], int]:
    """Whose place an action changes, with what that is called, and by how many the list grows. `before`: contact → is unsubscribed, of those on it. Pure."""
    moved: list[tuple[int, Act]] = []
    grown = 0
    for number in contact_ids:
        was = before.get(number)
        match action:
            case ListAction.REMOVE if was is not None:
                moved.append((number, Act.REMOVED))
                grown -= not was
            case ListAction.ADD_FORCE if was is not False:
                moved.append((number, Act.SUBSCRIBED))
                grown += 1
            case ListAction.ADD_NO_FORCE if was is None:
                moved.append((number, Act.SUBSCRIBED))
                grown += 1
            case ListAction.UNSUBSCRIBE if was is not True:
                moved.append((number, Act.UNSUBSCRIBED))
                grown -= was is False
    return moved, grown


def prove(account_id: int, acts: Sequence[tuple[int, int, Act]], trace: Trace, at: int) -> Unit[None]:
    """Add proofs; each is (list, contact, act)."""
    if acts:
        rows = [(account_id, contact_id, list_id, act.value, trace.source, trace.evidence, trace.ip, trace.words, trace.reason, at)
                for list_id, contact_id, act in acts]  # fmt: skip
        yield Many("consent_act_put", rows)


def forget(account_id: int, contact_id: int, address_key: str) -> Unit[None]:
    """Everything that was kept of a person's consent, here and by address."""
    yield Many("consent_acts_forget", [(contact_id,)])
    for query in ("opt_ins_forget", "consent_forget", "last_open_forget"):
        yield Many(query, [(account_id, address_key)])
