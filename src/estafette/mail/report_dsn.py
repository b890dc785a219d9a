"""The machine-readable part of a delivery status notification (RFC 3464, RFC 6533), read as leniently as it is written.

One `Fate` per recipient. Groups may lack the empty line between them, values may be folded wrongly, addresses may carry any type.
"""

import re
from dataclasses import dataclass
from typing import Final

from estafette.mail.report_address import bare_address

MAX_FATES: Final = 1000
_FIELD = re.compile(r"[ \t]{0,8}([A-Za-z][A-Za-z0-9-]{1,40})[ \t]{0,3}:[ \t]?(.*)")
_KNOWN: Final = frozenset({
    "original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code", "last-attempt-date", "final-log-id", "will-retry-until",
    "reporting-mta", "original-envelope-id", "dsn-gateway", "received-from-mta", "arrival-date",
})  # fmt: skip
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
FAILED, DELAYED, DONE = "failed", "delayed", "done"
_ACTIONS: Final = {
    "failed": FAILED, "failure": FAILED, "fail": FAILED, "error": FAILED, "expired": FAILED, "failed/expired": FAILED, "undeliverable": FAILED,
    "bounced": FAILED,
    "delayed": DELAYED, "deferred": DELAYED, "delay": DELAYED, "warning": DELAYED,
    "delivered": DONE, "relayed": DONE, "expanded": DONE, "deliverable": DONE, "success": DONE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fate:
    """What one group says about one recipient."""

    original: str  # the address as the sender wrote it; "" when it is not said
    final: str  # the address that failed
    action: str  # failed, delayed, done; "" when it is not said
    status: str  # "5.1.1"; "" when it is not said
    diagnostic: str  # the text of Diagnostic-Code without its type
    remote_mta: str

    @property
    def address(self) -> str:
        return self.original or self.final


def read_fates(text: str) -> tuple[list[Fate], dict[str, str]]:
    """(one fate per recipient in their order, the fields about the message). Fields that belong to nobody are the message's."""
    message: dict[str, str] = {}
    groups: list[dict[str, str]] = []
    group: dict[str, str] = {}
    for name, value in read_fields(text):
        if name == "":
            if group:
                groups.append(group)
            group = {}
        elif name in group and name in ("final-recipient", "action", "original-recipient"):  # the empty line is missing
            groups.append(group)
            group = {name: value}
        else:
            group.setdefault(name, value)
    groups.append(group)
    fates: list[Fate] = []
    for group in _joined(groups):
        if not ({"final-recipient", "original-recipient", "action"} & set(group)):
            message = {**group, **message}
        elif len(fates) < MAX_FATES:
            fates.append(_fate(group))
            message = {**{name: group[name] for name in ("reporting-mta", "original-envelope-id", "original-message-id") if name in group}, **message}
    return fates, message


def read_fields(text: str) -> list[tuple[str, str]]:
    """(name, unfolded value) in their order; ("", "") for an empty line."""
    found: list[tuple[str, str]] = []
    for line in text.split("\n"):
        match = _FIELD.match(line)
        name = match[1].lower() if match else ""
        if not line.strip():
            found.append(("", ""))
        elif match and (name in _KNOWN or not line[:1].isspace()):
            found.append((name, match[2].strip()))
        elif found and found[-1][0]:  # a continuation, with or without the blank that RFC 5322 wants
            name, value = found[-1]
            if len(value) < 2000:
                found[-1] = (name, f"{value} {line.strip()}")
    return found


def _joined(groups: list[dict[str, str]]) -> list[dict[str, str]]:
    """Groups that an empty line too many has torn apart, put together: a status or action without any recipient belongs to its neighbour."""
    joined: list[dict[str, str]] = []
    for group in groups:
        has_recipient = "final-recipient" in group or "original-recipient" in group
        lacks_recipient = not has_recipient and bool({"action", "diagnostic-code", "status"} & set(group))
        if joined and (
            (lacks_recipient and not set(group) & set(joined[-1]))
            or (has_recipient and "action" not in group and "action" in joined[-1] and "final-recipient" not in joined[-1])
        ):
            joined[-1] = {**joined[-1], **group}
        else:
            joined.append(group)
    return joined


def _fate(group: dict[str, str]) -> Fate:
    action = re.sub(r"[^a-z/].*", "", group.get("action", "").strip().lower())
    status = _STATUS.search(group.get("status", ""))
    diagnostic = group.get("diagnostic-code", "")
    type_, semicolon, said = diagnostic.partition(";")
    is_typed = bool(semicolon) and re.fullmatch(r"\s*[A-Za-z0-9-]{1,30}\s*", type_) is not None
    extra = "" if status else group.get("status", "")  # "553 Message too large" is seen there
    return Fate(
        bare_address(group.get("original-recipient", "").rpartition(";")[2]), bare_address(group.get("final-recipient", "").rpartition(";")[2]),
        _ACTIONS.get(action, ""), ".".join(status.groups()) if status else "", ((said if is_typed else diagnostic).strip() or extra).strip(),
        group.get("remote-mta", "").rpartition(";")[2].strip(),
    )  # fmt: skip
