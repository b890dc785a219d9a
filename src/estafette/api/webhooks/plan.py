"""Who is told, and when again after a failure. Pure.

A parcel that fails is tried again by itself; the rest goes on, but for later events of the same message. After three failures in a row the
endpoint rests, longer and longer, and then one call asks how it is. After 24 hours without a success it is suspended: its backup takes over
what waits and what comes. Where there is no backup it is still asked, once an hour; what is older than a week is given up (the feed has it).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from estafette.api.webhooks.payload import encoded, payload_of, type_of
from estafette.clock import DAY_US, SECOND_US
from estafette.facts import EventView
from estafette.nouns import Parcel, Webhook

PAUSES_S: Final = (30, 30, 60, 120, 240, 480, 900)
"""After the first, second ... failure; the last one repeats."""
SUSPENDED_PAUSE_S: Final = 3600
TRIES_BEFORE_REST: Final = 3
SUSPEND_AFTER_US: Final = DAY_US
GIVE_UP_AFTER_US: Final = 7 * DAY_US
ARRAY_LIMIT: Final = 200
SIDE_BY_SIDE: Final = 4
"""Calls of one version-1 endpoint that may be under way."""
MAX_TROUBLE: Final = 300

Key = tuple[int, str]


def recipients_of(webhooks: Iterable[Webhook]) -> dict[Key, Webhook]:
    """(account, event type) → the webhook that is told: the primary one, or its backup while it is suspended."""
    found: dict[Key, Webhook] = {}
    for webhook in sorted(webhooks, key=lambda w: w.is_backup):
        known = found.get((webhook.account_id, webhook.event_type))
        if known is None or (not known.is_alive and webhook.is_alive):
            found[webhook.account_id, webhook.event_type] = webhook
    return found


def parcels_of(views: Sequence[EventView], told: dict[Key, Webhook], now: int) -> list[Parcel]:
    """What these events bring on its way."""
    made = []
    for view in views:
        webhook = told.get((view.event.account_id, type_of(view.event)))
        payload = payload_of(view) if webhook is not None else None
        if webhook is not None and payload is not None:
            made.append(Parcel(webhook.id, view.event.id, view.event.message_id, encoded(payload), queued_at=now))
    return made


def body_of(version: int, parcels: Sequence[Parcel]) -> bytes:
    """One object, or an array."""
    return parcels[0].payload.encode() if version == 1 else b"[" + b",".join(p.payload.encode() for p in parcels) + b"]"


def packed(parcels: Sequence[Parcel]) -> list[Parcel]:
    """How many of the due parcels go into one array: fewer the more often they failed, so that one that is never taken stands alone at last."""
    most = max(1, ARRAY_LIMIT >> (2 * min(parcels[0].attempts, 8))) if parcels else 0
    return list(parcels[:most])


def is_taken(status: int) -> bool:
    """Exactly 200 is a success (contract section 4.2)."""
    return status == 200


def retry_at(attempts: int, now: int) -> int:
    """When a parcel may be told again that was tried `attempts` times."""
    return now + PAUSES_S[min(attempts, len(PAUSES_S)) - 1] * SECOND_US


def succeeded(webhook: Webhook) -> Webhook:
    """Healthy; one that was suspended and has no backup lives again."""
    return replace(webhook, failures=0, failing_since=0, paused_until=0, suspended_at=0, trouble="")


def failed(webhook: Webhook, trouble: str, now: int) -> Webhook:
    """One failure more: it may rest, or be suspended."""
    failures, since = webhook.failures + 1, webhook.failing_since or now
    suspended_at = webhook.suspended_at or (now if now - since >= SUSPEND_AFTER_US else 0)
    rests = failures - TRIES_BEFORE_REST
    pause_s = SUSPENDED_PAUSE_S if suspended_at else PAUSES_S[min(rests, len(PAUSES_S) - 1)] if rests >= 0 else 0
    return replace(webhook, failures=failures, failing_since=since, paused_until=now + pause_s * SECOND_US, suspended_at=suspended_at,
                   trouble=trouble[:MAX_TROUBLE])  # fmt: skip
