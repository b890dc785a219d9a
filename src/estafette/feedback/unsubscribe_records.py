"""The facts that an unsubscribe and its undoing are, by whichever way they came (page, one click, mail). Pure."""

from collections.abc import Mapping

from estafette.model import BlockCause, EventKind, Mark, Record


def unsubscribed(message_id: int, account_id: int, at: int, by: str, list_id: int, who: Mapping[str, str], reason: str = "", *,
                 is_all: bool = True) -> Record:  # fmt: skip
    """The recipient wants no more mailings, or (not `is_all`) none of this list.

    `by` is one-click, unsubscribe (the page's button), preferences or mail; `account_id` 0: not asked.
    """
    data: dict[str, str | int] = {"by": by, **who}
    if reason:
        data["reason"] = reason
    if list_id:
        data["list"] = list_id
    return Record(
        message_id, EventKind.UNSUBSCRIBED, at, data=data, marks=int(Mark.UNSUBSCRIBED), block=BlockCause.UNSUBSCRIBE if is_all else None,
        account_id=account_id, is_once=True,
    )  # fmt: skip


def resubscribed(message_id: int, account_id: int, at: int, by: str, list_id: int, who: Mapping[str, str]) -> Record:
    """The recipient takes it back."""
    return Record(
        message_id, EventKind.NOTE, at, data={"what": "unsubscribe undone", "by": by, **who}, unmarks=int(Mark.UNSUBSCRIBED),
        lifts=BlockCause.UNSUBSCRIBE, account_id=account_id,
    )  # fmt: skip
