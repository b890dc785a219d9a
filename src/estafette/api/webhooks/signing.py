"""Signatures of what is told to customers, by Standard Webhooks: HMAC-SHA-256 over id, time and body. Pure.

The secret of an address is made from the installation's secret, the account and the address: events of several types that go to one address can be
told in one call, and nothing secret stands in a row. Another address (a query is enough) has another secret.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

SECRET_NAME = "webhooks"
"""The installation's secret (`Store.secret`)."""


def secret_of(root: bytes, account_id: int, url: str) -> str:
    """What the customer verifies with: `whsec_` and base64."""
    return "whsec_" + base64.b64encode(_key(root, account_id, url)).decode()


def call_id(event_ids: Sequence[int]) -> str:
    """The id of a call: the same when the same events are told again."""
    if len(event_ids) == 1:
        return f"evt_{event_ids[0]}"
    return "evts_" + hashlib.sha256(",".join(map(str, event_ids)).encode()).hexdigest()[:32]


def headers(root: bytes, account_id: int, url: str, ident: str, now_s: int, body: bytes) -> dict[str, str]:
    """The fields of a signed call."""
    signed = f"{ident}.{now_s}.".encode() + body
    signature = base64.b64encode(hmac.digest(_key(root, account_id, url), signed, "sha256")).decode()
    return {
        "Content-Type": "application/json", "webhook-id": ident, "webhook-timestamp": str(now_s), "webhook-signature": f"v1,{signature}",
    }  # fmt: skip


def _key(root: bytes, account_id: int, url: str) -> bytes:
    return hmac.digest(root, f"{account_id} {url}".encode(), "sha256")
