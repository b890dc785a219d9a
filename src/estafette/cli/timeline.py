"""A message's events in words, and as JSON. Pure."""

from collections.abc import Sequence

from estafette.clock import to_iso
from estafette.log import one_line
from estafette.model import AfterUncertain, Event, EventKind

_STAGES = {
    "dns": "looking up the domain",
    "connect": "connecting",
    "tls": "starting TLS",
    "ehlo": "greeting the server",
    "mail": "naming the sender (MAIL FROM)",
    "rcpt": "naming the recipient (RCPT TO)",
    "data": "offering the mail (DATA)",
    "body": "transmitting the mail",
}

_UNTRACKED = {
    "protected": "it is signed or encrypted, and a change would break it",
    "submitter_signed": "it carries a signature of the submitter's, and we have no key to sign it anew",
    "charset": "its character set cannot be edited safely",
    "encoding": "its transfer encoding is unknown",
    "cut_off": "its HTML ends inside a tag",
    "malformed": "it has more parts, levels or fields than are read",
    "too_large": "it is very large",
}
"""`prepare.tracking.LeftOff` in words."""


def event_json(e: Event) -> dict[str, object]:
    """`at`, `kind`, `reply` and `host` always, `retry_at` as a time, then whatever else the event knows."""
    facts: dict[str, object] = {"at": to_iso(e.at), "kind": e.kind.value, "reply": e.reply, "host": e.data.get("host", "")}
    if e.kind is EventKind.ACCEPTED:
        facts["count"] = e.count
    facts.update({name: value for name, value in e.data.items() if name not in facts})
    if isinstance(e.data.get("retry_at"), int):
        facts["retry_at"] = to_iso(int(e.data["retry_at"]))
    return facts


def timeline_lines(events: Sequence[Event]) -> list[str]:
    """One sentence per event, then what the server said, then the dialogue, indented."""
    lines = []
    for e in events:
        lines.append(f"{to_iso(e.at)}  {one_line(_sentence(e))}")
        if e.reply:
            lines += [f"    {one_line(line)}" for line in ["they said: " + e.reply if e.data.get("host") else e.reply]]
        transcript = e.data.get("transcript")
        if isinstance(transcript, str):
            lines += [f"      {one_line(line)}" for line in transcript.splitlines()]
    return lines


def _sentence(e: Event) -> str:
    d = e.data
    if e.kind is EventKind.ACCEPTED:
        many = f", together with {e.count - 1} other recipients" if e.count > 1 else ""
        return f"Accepted by {str(d.get('door', '')).upper() or 'us'} ({d.get('size', 0)} octets){many}"
    if e.kind is EventKind.BLOCKED:
        return f"Blocked, not sent{_why(e)}"
    if e.kind is EventKind.DELIVERED:
        untracked = f"; not tracked ({_UNTRACKED.get(str(d['untracked']), d['untracked'])})" if d.get("untracked") else ""
        how = _KNOWN_BY.get(str(d["known_by"]), "; something came back that only a mail that arrived can bring") if d.get("known_by") else _how(e)
        return f"Attempt {d.get('attempt', 1)}: delivered{_where(e)}{how}{untracked}"
    if e.kind is EventKind.UNCERTAIN:
        return f"Attempt {d.get('attempt', 1)}: uncertain{_where(e)}: {_unknown(e)}; {_resumed(e)}"
    if e.kind is EventKind.DEFERRED:
        again = f"; next attempt at {to_iso(int(d['retry_at']))}" if isinstance(d.get("retry_at"), int) else ""
        return f"Attempt {d.get('attempt', 1)}: temporary error{_where(e)}{_stage(e)}{_why(e)}{again}"
    if e.kind in (EventKind.HARD_BOUNCED, EventKind.SOFT_BOUNCED):
        what = "permanent error" if e.kind is EventKind.HARD_BOUNCED else "given up after temporary errors"
        attempt = f"Attempt {d['attempt']}: " if d.get("attempt") else ""
        blocked = "; the address is blocked from now on" if d.get("blocks_address") else ""
        text = f"{attempt}{what}{_where(e)}{_stage(e)}{_why(e)}{blocked}"
        return text[0].upper() + text[1:]
    if e.kind is EventKind.NOTE and d.get("refused"):
        return f"Note: a report of {d['refused']} changed nothing, because the message is {d.get('state', 'in another state')}"
    if e.kind in (EventKind.OPENED, EventKind.CLICKED):
        return _visit(e)
    if e.kind is EventKind.NOTE and d.get("what"):
        return f"Note: {d['what']}" + (f" from {d['from']}" if d.get("from") else "") + (f" ({d['why']})" if d.get("why") else "")
    return _PLAIN[e.kind] + (f" ({_BY[str(d['by'])]})" if d.get("by") in _BY else "")


_BY = {"one-click": "by the mail program's button", "unsubscribe": "on our page", "mail": "by mail"}


_KNOWN_BY = {"person": "", "flight log": "; the worker that sent it disappeared before it could write this down"}


def _unknown(e: Event) -> str:
    """Why it is not known whether the mail arrived."""
    if e.data.get("restored"):
        return "the database was put back to an earlier point, and whether the mail was sent since is not known"
    if "worker" not in e.data:
        return "the mail was sent and no answer came"
    if e.data.get("guess"):
        return "the worker that held the message disappeared, and whether it had sent the mail is not known here"
    return "the worker disappeared after it had sent the mail and before it noted the answer"


def _resumed(e: Event) -> str:
    way, at = e.data.get("way"), e.data.get("retry_at")
    if way == AfterUncertain.HOLD:
        return "held until a person decides (estafette queue release, estafette queue drop)"
    again = f"at {to_iso(at)}" if isinstance(at, int) else "at once"
    return f"waiting for evidence, then the next attempt {again}" if way == AfterUncertain.WAIT else f"next attempt {again}"


def _visit(e: Event) -> str:
    """Who opened or clicked, and how that is known."""
    d = e.data
    again = "" if d.get("first") or "reader" not in d else " again"
    url = f": {d['url']}" if d.get("url") else ""
    who = {"machine": ", by a machine", "unknown": ", by a person or a machine"}.get(str(d.get("reader", "")), "")
    return f"{_PLAIN[e.kind]}{again}{url}{who}" + (f" ({d['why']})" if d.get("why") else "")


_PLAIN = {
    EventKind.REQUEUED: "A person asked for an attempt at once",
    EventKind.RECLAIMED: "The worker that held the message disappeared before it had sent the mail; another takes over",
    EventKind.OPENED: "Opened",
    EventKind.CLICKED: "Clicked",
    EventKind.UNSUBSCRIBED: "Unsubscribed",
    EventKind.COMPLAINED: "Marked as spam",
    EventKind.NOTE: "Note",
}


def _where(e: Event) -> str:
    host, address = e.data.get("host"), e.data.get("address")
    return (f" at {host}" + (f" [{address}]" if address else "")) if host else ""


def _how(e: Event) -> str:
    tls, took = e.data.get("tls"), e.data.get("duration_ms")
    return (f", encrypted with {tls}" if tls else ", not encrypted") + (f", in {took} ms" if took else "")


def _stage(e: Event) -> str:
    stage = str(e.data.get("stage", ""))
    if stage == "report":
        return ", as a report says that came after the delivery"
    return f" while {_STAGES.get(stage, stage)}" if stage not in ("", "evidence") else ""


def _why(e: Event) -> str:
    related_to, error = e.data.get("error_related_to", ""), e.data.get("error", "")
    return f" ({error}; related to: {related_to})" if error and related_to else f" ({error or related_to})" if error or related_to else ""
