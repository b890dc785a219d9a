"""What TLS a message needs on its way to a domain, and whether a connection has it. Pure.

Levels, each of which includes those before it: *may* (encrypted when the server can, RFC 7435), *must* (encrypted), *proved* (encrypted, and the
server proved who it is: by a certificate that the policy of the domain asks for, or by DANE).
"""

from dataclasses import dataclass
from typing import Final

from estafette.mail.mta_sts import matches

NEVER, MAY, MUST, PROVED = "never", "may", "must", "proved"
CLEAR, ENCRYPTED, PKIX, DANE = "", "encrypted", "pkix", "dane"
"""What a connection has: nothing, encryption, a certificate that is valid for its host, one that TLSA records promise."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a domain, or the operator, asks for."""

    level: str = MAY
    mx: tuple[str, ...] = ()  # PROVED by MTA-STS: hosts that may be talked to
    said_by: str = ""  # who asks, for people
    policy_type: str = "no-policy-found"  # RFC 8460 4.2
    policy: str = ""
    is_testing: bool = False  # a policy in testing: nothing is asked, what is found is counted


FREE: Final = Demand()


def allows_host(demand: Demand, host: str) -> bool:
    """True when the policy of a domain names this MX host, or there is none."""
    return not demand.mx or demand.is_testing or matches(host, demand.mx)


def serves(demand: Demand, host: str, trust: str) -> bool:
    """True when a connection to a host that has this much is enough."""
    if demand.level == PROVED:
        return trust in (PKIX, DANE) and allows_host(demand, host)
    return demand.level != MUST or trust != CLEAR


def outcome_of(text: str) -> str:
    """The result type of RFC 8460 4.3 for what went wrong with TLS, in our words."""
    words = text.lower()
    for found, outcome in (("not offer starttls", "starttls-not-supported"), ("refused starttls", "starttls-not-supported"),
                           ("hostname mismatch", "certificate-host-mismatch"), ("another name", "certificate-host-mismatch"),
                           ("not in the policy", "certificate-host-mismatch"), ("expired", "certificate-expired"), ("tlsa", "tlsa-invalid"),
                           ("certificate verify failed", "certificate-not-trusted"), ("chain of certificates", "certificate-not-trusted")):  # fmt: skip
        if found in words:
            return outcome
    return "validation-failure"
