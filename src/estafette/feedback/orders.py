"""Reads what a POST to an unsubscribe address orders: one click (RFC 8058), a button of the page, or nothing. Pure.

Only these words act. A POST without them (a scanner that submits forms, a prefetch, an empty body) changes nothing. What a person says about why
is kept beside the order and decides nothing.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from estafette.audience import LEAVING

MAX_BODY: Final = 16_384
MAX_FIELDS: Final = 500
MAX_WORDS: Final = 300
ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")
ACTION: Final = "action"
_BOUNDARY = re.compile(r'boundary="?([0-9A-Za-z\'()+_,./:=? -]{1,70})"?', re.I)
_NAME = re.compile(rb'^content-disposition:[^\r\n]{0,200}?\bname="?([^"\r\n;]{1,100})"?', re.I | re.M)


class Order(StrEnum):
    """What is to be done."""

    ONE_CLICK = "one-click"  # the mail program's own button
    UNSUBSCRIBE = "unsubscribe"  # the button of our page
    RESUBSCRIBE = "resubscribe"  # undo
    LEAVE_LIST = "leave-list"  # the list of the mail, and nothing else


def read_order(content_type: str, body: bytes) -> Order | None:
    """The order of a form body, urlencoded or multipart (RFC 8058 3.2 allows both); None when there is none."""
    return order_of(read_fields(content_type, body))


def order_of(fields: Sequence[tuple[str, str]]) -> Order | None:
    """The same of fields that were read."""
    if ONE_CLICK in fields:
        return Order.ONE_CLICK
    actions = [value for name, value in fields if name == ACTION]
    return Order(actions[0]) if actions in ([Order.UNSUBSCRIBE], [Order.RESUBSCRIBE], [Order.LEAVE_LIST]) else None


def reason_of(fields: Sequence[tuple[str, str]]) -> str:
    """Why somebody leaves: their own words on one line, else one of the reasons that are offered, else ""."""
    words = next((value for name, value in fields if name == "words"), "")
    words = " ".join("".join(c if c.isprintable() else " " for c in words[:MAX_WORDS]).split())
    return words or next((value for name, value in fields if name == "reason" and value in LEAVING), "")


def read_fields(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in order; none for what is no form."""
    body = body[:MAX_BODY]
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        boundary = _BOUNDARY.search(content_type)
        return _parts(body, boundary[1].strip().encode()) if boundary else []
    if kind not in ("application/x-www-form-urlencoded", ""):  # some mail providers leave the type out
        return []
    try:
        return parse_qsl(body.decode("utf-8", "replace").strip(), max_num_fields=MAX_FIELDS)
    except ValueError:
        return []


def _parts(body: bytes, boundary: bytes) -> list[tuple[str, str]]:
    found = []
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary)[1 : MAX_FIELDS + 1]:
        head, gap, value = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if gap and name:
            found.append((name[1].decode("utf-8", "replace"), value.decode("utf-8", "replace").strip()))
    return found
