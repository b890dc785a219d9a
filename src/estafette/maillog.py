"""What happens to mail, in words: one function per event, so that every wording and every field name stands in this file.

Fields keep their names for scripts. A field that is empty is left out. What was sent with AUTH is never an argument here, and `protocol_line`,
the only function that is given raw lines, hides it.
"""

import logging
from typing import Final

_log: Final = logging.getLogger("estafette.mail")

HIDDEN: Final = "(hidden)"


def _say(level: int, event: str, **fields: object) -> None:
    if _log.isEnabledFor(level):
        _log.log(level, event, extra={"fields": {name.rstrip("_"): value for name, value in fields.items() if value not in ("", None)}})


# -- mail comes in ----------------------------------------------------------------------------------------------------------


def listening(role: str, endpoint: str) -> None:
    """A listener is open; `role` is submission, submissions (TLS), inbound or http."""
    _say(logging.INFO, "listening", role=role, on=endpoint)


def session_opened(session: str, peer: str, listener: str) -> None:
    """A client connected."""
    _say(logging.DEBUG, "session opened", session=session, peer=peer, on=listener)


def session_refused(peer: str, why: str) -> None:
    """A client was turned away before its session began (too many connections)."""
    _say(logging.WARNING, "session refused", peer=peer, why=why)


def session_closed(session: str, peer: str, transactions: int, why: str = "") -> None:
    """A session ended; `why` when it was not the client's QUIT."""
    _say(logging.DEBUG, "session closed", session=session, peer=peer, transactions=transactions, why=why)


def logged_in(session: str, peer: str, account: str, tls: str) -> None:
    """AUTH succeeded; the key is not named."""
    _say(logging.INFO, "logged in", session=session, peer=peer, account=account, tls=tls)


def login_failed(session: str, peer: str, tls: str) -> None:
    """AUTH failed. What was given as a user name may be a password typed into the wrong field: it is not written."""
    _say(logging.WARNING, "login failed", session=session, peer=peer, tls=tls)


def refused(session: str, peer: str, account: str, stage: str, reply: str) -> None:
    """We declined a command or a mail; `reply` is what the client was told."""
    _say(logging.INFO, "refused", session=session, peer=peer, account=account, stage=stage, reply=reply)


def accepted(submission: int, account: str, door: str, messages: int, size_bytes: int, reverse_path: str, author: str, peer: str = "") -> None:
    """A submission is durable."""
    _say(logging.INFO, "accepted", submission=submission, account=account, door=door, messages=messages, size=size_bytes,
         reverse_path=f"<{reverse_path}>", author=author, peer=peer)  # fmt: skip


def accepted_before(account: str, door: str, idempotency_key: str) -> None:
    """A known idempotency key: the first answer was given again and nothing was sent."""
    _say(logging.INFO, "accepted before", account=account, door=door, idempotency_key=idempotency_key)


def blocked(message: int, recipient: str, related_to: str, error: str) -> None:
    """A message will not be attempted."""
    _say(logging.INFO, "blocked", message=message, to=recipient, related_to=related_to, error=error)


# -- mail goes out ----------------------------------------------------------------------------------------------------------


def delivered(message: int, recipient: str, host: str, source: str, tls: str, reply: str, attempt: int, duration_ms: int) -> None:
    """The receiving server took the message."""
    _say(logging.INFO, "delivered", message=message, to=recipient, host=host, source=source, tls=tls, attempt=attempt, ms=duration_ms, reply=reply)


def deferred(message: int, recipient: str, host: str, stage: str, category: str, reply: str, attempt: int, retry_in_s: float) -> None:
    """A temporary failure; another attempt is planned."""
    _say(logging.INFO, "deferred", message=message, to=recipient, host=host, stage=stage, category=category, attempt=attempt,
         retry_in=f"{retry_in_s:.0f}s", reply=reply)  # fmt: skip


def bounced(message: int, recipient: str, host: str, stage: str, category: str, reply: str, attempt: int, is_permanent: bool) -> None:
    """A permanent failure, or the last temporary one."""
    _say(logging.WARNING, "hard bounced" if is_permanent else "soft bounced", message=message, to=recipient, host=host, stage=stage,
         category=category, attempt=attempt, reply=reply)  # fmt: skip


def given_up(messages: int) -> None:
    """Messages passed their deadline while they waited."""
    _say(logging.WARNING, "given up", messages=messages, why="the deadline passed")


def claim_lost(message: int, kind: str) -> None:
    """An outcome came too late: the message had been taken over by another worker. The message may have been sent twice."""
    _say(logging.WARNING, "claim lost", message=message, outcome=kind)


def path_slowed(path: str, why: str, until_s: float) -> None:
    """A path is paused or its limits were lowered."""
    _say(logging.WARNING, "path slowed", path=path, why=why, seconds=round(until_s, 1))


def measure_begun(path: str, rule: str, reply: str, for_s: float) -> None:
    """Replies led to a rule of the shaping file."""
    _say(logging.WARNING, "rule in force", path=path, rule=rule, reply=reply, seconds=round(for_s))


def source_aside(source: str, why: str, for_s: float) -> None:
    """Nothing can be sent from one of our addresses; others are used meanwhile."""
    _say(logging.ERROR, "source set aside", source=source, why=why, seconds=round(for_s))


def site_shared(site: str, holders: int) -> None:
    """A busy site is worked by several workers from now on, or by one again."""
    _say(logging.INFO, "site shared", site=site, workers=holders)


def sts_unavailable(domain: str, why: str) -> None:
    """A domain announces a TLS policy (MTA-STS) that cannot be fetched: an older one holds, or none."""
    _say(logging.WARNING, "policy unavailable", domain=domain, why=why)


def shaping_loaded(file: str) -> None:
    """A shaping file is in force."""
    _say(logging.INFO, "shaping loaded", file=file)


def shaping_refused(file: str, problem: str) -> None:
    """A shaping file is wrong; what held before goes on."""
    _say(logging.ERROR, "shaping refused", file=file, problem=problem)


# -- mail comes back --------------------------------------------------------------------------------------------------------


def reported(message: int, kind: str, peer: str, reply: str = "") -> None:
    """A later report (DSN, complaint) or a mark was matched to a message."""
    _say(logging.INFO, "reported", message=message, kind=kind, peer=peer, reply=reply)


def parse_failed(address: str, why: str, *, is_given_up: bool) -> None:
    """A customer's program did not take a mail that came in for it."""
    _say(logging.WARNING, "parse_failed", address=address, why=why, given_up=is_given_up)


def report_ignored(peer: str, why: str) -> None:
    """A report that names no message of ours, or whose token is not valid: it changed nothing."""
    _say(logging.INFO, "report ignored", peer=peer, why=why)


def visits_lost(visits: int, why: str) -> None:
    """Openings or clicks that were answered and could not be kept; `visits` counts all of them since the start."""
    _say(logging.ERROR, "visits lost", visits=visits, why=why)


def swept(contents: int, messages: int) -> None:
    """Retention took away contents of mails, and messages with their events."""
    _say(logging.INFO, "swept", contents=contents, messages=messages)


# -- workers and faults -----------------------------------------------------------------------------------------------------


def worker_started(worker: int, slot: int, name: str) -> None:
    """A worker joined under a fresh incarnation."""
    _say(logging.INFO, "worker started", worker=worker, slot=slot, name_=name)


def worker_retired(worker: int, name: str, messages: int) -> None:
    """A dead worker's messages went back to the queue."""
    _say(logging.WARNING, "worker retired", worker=worker, name_=name, messages=messages)


def reclaimed(messages: int) -> None:
    """Messages that were claimed and that nobody here knew of went back to the queue."""
    _say(logging.WARNING, "reclaimed", messages=messages)


def worker_stopped(worker: int, why: str) -> None:
    """A worker left in good order."""
    _say(logging.INFO, "worker stopped", worker=worker, why=why)


def fault(where: str, item: str, error: BaseException) -> None:
    """A fault at the outermost frame of a loop; the work was given back."""
    if _log.isEnabledFor(logging.ERROR):
        _log.error("fault", exc_info=error, extra={"fields": {"where": where, "item": item, "error": str(error)}})


def protocol_line(session: str, direction: str, line: bytes, *, is_secret: bool = False) -> None:
    """A raw SMTP line at level debug; `is_secret` for the lines of an AUTH exchange."""
    if _log.isEnabledFor(logging.DEBUG):
        _say(logging.DEBUG, direction, session=session, line=HIDDEN if is_secret else hide_auth(line).decode("latin-1"))


def hide_auth(line: bytes) -> bytes:
    """The line as it may be written: of an AUTH command only the mechanism is kept."""
    words = line.strip().split(None, 2)
    if words and words[0].upper() == b"AUTH" and len(words) > 2:
        return b" ".join([*words[:2], HIDDEN.encode()])
    return line.rstrip(b"\r\n")


# -- customers are told -----------------------------------------------------------------------------------------------------


def webhook_suspended(webhook: int, account: int, url: str, trouble: str) -> None:
    """An endpoint failed for a day: its backup is told, if it has one."""
    _say(logging.WARNING, "webhook suspended", webhook=webhook, account=account, url=url, trouble=trouble)


# -- the guard --------------------------------------------------------------------------------------------------------------


def guard_ordered(account: int, step: str, cause: str, why: str) -> None:
    """The reputation guard warns, slows or stops."""
    _say(logging.WARNING, "guard", account=account, step=step, cause=cause, why=why)


def guard_lifted(account: int, step: str, cause: str, why: str) -> None:
    """An order of the guard ended."""
    _say(logging.INFO, "guard lifted", account=account, step=step, cause=cause, why=why)


def newsletter_paused(newsletter: int, account: int, why: str) -> None:
    """A newsletter was paused by no person."""
    _say(logging.WARNING, "newsletter paused", newsletter=newsletter, account=account, why=why)
