"""The contract's errors (table 2.3) as values, and how they are written. Pure.

A `Problem` is one entry of `Errors[]` or the whole of a call-level answer; `CallRefused` carries one out of whatever was going on.
"""

from dataclasses import dataclass

UNAUTHORISED = (
    "API key authentication/authorization failure. You may be unauthorized to access the API or your API key may be expired. "
    "Check your API key and its secret."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a message or a call was not accepted."""

    code: str  # send-0003, mj-0004, ...; "" = the contract has none for it
    status: int
    text: str
    related: tuple[str, ...] = ()  # property paths: To[0].Email, Headers["X"]


class CallRefused(Exception):
    """The whole call is answered with one problem."""

    def __init__(self, problem: Problem, retry_after_s: int = 0, info: str | dict[str, str] = "") -> None:
        super().__init__(problem.text)
        self.problem = problem
        self.retry_after_s = retry_after_s
        self.info = info  # ErrorInfo of the older shape


def missing(path: str) -> Problem:
    """A mandatory property is absent or null."""
    return Problem("mj-0003", 400, f'Mandatory property "{path}" is missing.', (path,))


def mismatch(path: str, expected: str) -> Problem:
    """A value of another type than the contract's."""
    return Problem("mj-0004", 400, f'Type mismatch. Expected type "{expected}".', (path,))


def not_allowed(path: str, why: str) -> Problem:
    """A value of the right type that is none of the possible ones; `why` is a sentence."""
    return Problem("mj-0005", 400, why, (path,))


def too_long(path: str, limit: int) -> Problem:
    """A text past its limit, in characters."""
    return Problem("mj-0006", 400, f'"{path}" is too long. Max allowed - {limit} characters', (path,))


def empty_array(path: str) -> Problem:
    """An array that must hold something."""
    return Problem("mj-0007", 400, f'"{path}" must not be an empty array.', (path,))


def array_too_long(path: str, limit: int) -> Problem:
    """Too many elements or properties."""
    return Problem("mj-0008", 400, f'"{path}" has too many elements. Max allowed - {limit}', (path,))


def too_large(text: str, related: tuple[str, ...] = (), status: int = 400) -> Problem:
    """Too many octets."""
    return Problem("mj-0011", status, text, related)


def empty_text(path: str) -> Problem:
    """A text that must hold something."""
    return Problem("mj-0012", 400, f'"{path}" must not be an empty string.', (path,))


def bad_address(path: str, given: str) -> Problem:
    """Not an e-mail address."""
    return Problem("mj-0013", 400, f'"{given[:254]}" is an invalid email address.', (path,))


def identifier(octets: bytes) -> str:
    """An ErrorIdentifier: 16 random octets as a UUID, version 4 (RFC 9562 5.4)."""
    made = bytearray(octets[:16])
    made[6] = made[6] & 0x0F | 0x40
    made[8] = made[8] & 0x3F | 0x80
    digits = made.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def entry(problem: Problem, error_identifier: str) -> dict[str, object]:
    """The JSON object of a problem; what the contract has not for it is left out."""
    made: dict[str, object] = {"ErrorIdentifier": error_identifier}
    if problem.code:
        made["ErrorCode"] = problem.code
    made |= {"StatusCode": problem.status, "ErrorMessage": problem.text}
    if problem.related:
        made["ErrorRelatedTo"] = list(problem.related)
    return made


def v3_entry(problem: Problem, error_identifier: str, info: str | dict[str, str] = "") -> dict[str, object]:
    """The older shape, on `/v3/REST` (contract 5.1)."""
    return {"ErrorInfo": info, "ErrorMessage": problem.text, "StatusCode": problem.status, "ErrorIdentifier": error_identifier}
