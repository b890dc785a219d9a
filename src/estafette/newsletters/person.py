"""Everything that is kept of one person, for who asks for it (GDPR 15 and 20): one shape for the command line and the dashboard."""

from typing import Final

from estafette.audience import ConsentAct, Contact, Subscriber
from estafette.clock import to_iso
from estafette.newsletters.contact_values import shown_value
from estafette.store.seam import Store

MAX_ACTS: Final = 10_000
MAX_MESSAGES: Final = 10_000


async def everything(store: Store, account_id: int, address_key: str, now: int) -> dict[str, object]:
    """The facts by name; times as in RFC 3339, None for what is not known. An address that is no contact may have messages and blocks. Raises StoreFault."""
    one = await store.contacts.find_address(account_id, address_key)
    waiting = await store.consents.waiting(account_id, address_key=address_key, now=now)
    tracking = (await store.privacy.consents(account_id, [address_key])).get(address_key)
    messages = await store.messages(account_id, recipient_key=address_key, limit=MAX_MESSAGES)
    return {
        **(await _contact(store, account_id, one, now) if one is not None else {"address": address_key}),
        "waiting": [{"list": w.list_id, "asked_at": _at(w.asked_at), "expires_at": _at(w.expires_at), "ip": w.ip, "words": w.words} for w in waiting],
        "tracking": None if tracking is None else {"opens": tracking[0], "clicks": tracking[1]},
        "last_opened_on": await store.privacy.last_open(account_id, address_key),
        "blocks": [{"cause": b.cause.value, "since": _at(b.since), "until": _at(b.until)} for b in await store.blocks(account_id, now, address_key)],
        "messages": [{"id": m.id, "at": _at(m.created_at), "subject": m.subject, "state": m.state.value} for m in messages],
    }


async def _contact(store: Store, account_id: int, one: Contact, now: int) -> dict[str, object]:
    properties = {p.name: shown_value(p.kind, one.properties[p.id]) for p in await store.contacts.properties(account_id) if p.id in one.properties}
    choices = await store.consents.choices(account_id, one.address_key, now)
    places = await store.contacts.subscribers(account_id, contact_id=one.id)
    return {
        "id": one.id, "address": one.address, "name": one.name, "language": choices.language, "excluded": one.is_excluded, "excluded_at": _at(one.excluded_at),
        "created_at": _at(one.created_at), "updated_at": _at(one.updated_at), "left_at": _at(choices.left_at), "paused_until": _at(choices.paused_until),
        "properties": properties, "lists": [_place(place) for place in places],
        "consent": [_act(act) for act in await store.consents.acts(account_id, one.id, limit=MAX_ACTS)],
    }  # fmt: skip


def _at(at: int | None) -> str | None:
    return None if at is None else to_iso(at)


def _place(one: Subscriber) -> dict[str, object]:
    s = one.subscription
    return {"list": one.list_name, "subscribed_at": _at(s.subscribed_at), "unsubscribed_at": _at(s.unsubscribed_at), "source": s.source, "evidence": s.evidence}


def _act(one: ConsentAct) -> dict[str, object]:
    trace = one.trace
    return {"at": _at(one.at), "act": one.act.value, "list": one.list_name or ("" if one.list_id else "all"), "source": trace.source,
            "evidence": trace.evidence, "ip": trace.ip, "words": trace.words, "reason": trace.reason}  # fmt: skip
