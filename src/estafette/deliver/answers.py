"""What a DNS server said, as plain facts: pure.

Answers come in four kinds and are never mixed: found, nodata (the name exists, this type does not), nxdomain, failed (nobody answered, or with
SERVFAIL: temporary).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode

from estafette.mail.dane import Tlsa

MAX_TTL_S: Final = 86_400.0
MIN_TTL_S: Final = 5.0
NEGATIVE_TTL_S: Final = 300.0
FAILED_TTL_S: Final = 5.0
MAX_RECORDS: Final = 64


class AnswerKind(Enum):
    """What became of a question."""

    FOUND = "found"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Mx:
    """One MX record; `host` is lower case without final dot, "" for the null MX (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Records in the order of the answer: `Mx` for MX, address texts for A and AAAA, strings for TXT."""

    kind: AnswerKind
    records: tuple[Mx | Tlsa | str, ...] = ()
    ttl_s: float = 0.0
    why: str = ""  # of a failure, in words
    is_authentic: bool = False  # the server says that it has verified it (DNSSEC)
    is_ours: bool = False  # of a failure: no server of ours answered at all, which says nothing about the name

    @property
    def fault(self) -> str:
        """The key of a failure in the rules for faults."""
        return "dns_timeout" if self.is_ours else "dns_servfail"


def read_response(response: dns.message.QueryMessage, kind: str) -> tuple[Answer, str | None]:
    """(answer, name to ask next or None)."""
    try:
        chain = response.resolve_chaining()
    except (dns.exception.DNSException, ValueError) as error:
        return Answer(AnswerKind.FAILED, ttl_s=FAILED_TTL_S, why=f"an answer that cannot be understood: {error}"), None
    ttl = float(max(MIN_TTL_S, min(chain.minimum_ttl, MAX_TTL_S)))
    if chain.answer is None:
        if response.rcode() == dns.rcode.NXDOMAIN:
            return Answer(AnswerKind.NXDOMAIN, ttl_s=min(ttl, NEGATIVE_TTL_S), why="no such domain"), None
        if chain.cnames and not response.flags & dns.flags.RA:
            return Answer(AnswerKind.FAILED), chain.canonical_name.to_text(omit_final_dot=True)
        return Answer(AnswerKind.NODATA, ttl_s=min(ttl, NEGATIVE_TTL_S)), None
    records: list[Mx | Tlsa | str] = []
    found = sorted(chain.answer, key=lambda record: record.preference) if kind == "MX" else list(chain.answer)
    for record in found[:MAX_RECORDS]:  # of too many hosts the best are kept
        if kind == "MX":
            records.append(Mx(record.preference, record.exchange.to_text(omit_final_dot=True).lower().removesuffix(".")))
        elif kind == "TLSA":
            records.append(Tlsa(record.usage, record.selector, record.mtype, record.cert))
        elif kind == "TXT":
            records.append(b"".join(record.strings).decode("utf-8", "replace"))
        elif kind == "PTR":
            records.append(record.target.to_text(omit_final_dot=True).lower())
        else:
            records.append(str(record.address))
    return Answer(AnswerKind.FOUND, tuple(records), ttl, is_authentic=bool(response.flags & dns.flags.AD)), None
