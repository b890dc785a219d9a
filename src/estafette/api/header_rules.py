"""Which `Headers` a message may bring (contract 2.2), and what `Variables` may hold. Pure."""

from typing import Final

import msgspec

from estafette.api import errors
from estafette.api.errors import Problem
from estafette.api.fields import has_control
from estafette.mail.compose import WRITTEN_HERE
from estafette.mail.header import HeaderError, make_field
from estafette.prepare.template.running import Value

MAX_HEADERS: Final = 100
MAX_HEADER_VALUE: Final = 8192
MAX_VARIABLES: Final = 1000
MAX_VARIABLES_TEXT: Final = 262_144
MAX_DEPTH: Final = 32
FORBIDDEN: Final = WRITTEN_HERE | {
    "delivered-to", "dkim-signature", "domainkey-status", "received-spf", "authentication-results", "list-id", "user-agent", "x-mailer",
    "x-feedback-id", "x-csa-complaints",
}  # fmt: skip
OURS: Final = ("x-mailjet-", "x-mj-", "x-estafette-")  # each has a property of its own, or belongs to the platform


def is_forbidden(name: str) -> bool:
    """True for a header that has a property of its own or belongs to the platform (send-0011)."""
    key = name.strip().lower()
    return key in FORBIDDEN or key.startswith(OURS)


def read_headers(value: object, problems: list[Problem]) -> tuple[tuple[str, str], ...]:
    """Names and values that can be written as they are."""
    if value is None:
        return ()
    if not isinstance(value, dict):
        problems.append(errors.mismatch("Headers", "object"))
        return ()
    if len(value) > MAX_HEADERS:
        problems.append(errors.array_too_long("Headers", MAX_HEADERS))
        return ()
    return tuple((name, text) for name, given in value.items() if (text := _value(name, given, problems)) is not None)


def _value(name: str, given: object, problems: list[Problem]) -> str | None:
    path = f'Headers["{name[:100]}"]'
    if is_forbidden(name):
        text = f'Header "{name[:100]}" cannot be customized. Use the property that is made for it, if there is one.'
        problems.append(Problem("send-0011", 400, text, (path,)))
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        problems.append(errors.mismatch(path, "string"))
        return None
    text = str(given)
    if len(text) > MAX_HEADER_VALUE:
        problems.append(errors.too_long(path, MAX_HEADER_VALUE))
        return None
    try:
        make_field(name, text)
    except HeaderError as error:
        problems.append(errors.not_allowed(path, f"The header cannot be written: {error}."))
        return None
    if has_control(text):
        problems.append(errors.not_allowed(path, f"The value of {path} contains a control character."))
        return None
    return text


def read_variables(value: object, problems: list[Problem]) -> dict[str, Value]:
    """Nested at most `MAX_DEPTH` deep, no null anywhere, not longer than `MAX_VARIABLES_TEXT` as JSON."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(errors.mismatch("Variables", "object"))
        return {}
    if len(value) > MAX_VARIABLES:
        problems.append(errors.array_too_long("Variables", MAX_VARIABLES))
        return {}
    before = len(problems)
    for name, given in value.items():
        _check_variable(f'Variables["{name[:100]}"]', given, problems)
    if len(problems) > before:
        return {}
    if value and len(msgspec.json.encode(value)) > MAX_VARIABLES_TEXT:
        problems.append(errors.too_long("Variables", MAX_VARIABLES_TEXT))
    return value


def _check_variable(path: str, given: object, problems: list[Problem]) -> None:
    waiting = [(given, 1)]
    while waiting:
        value, depth = waiting.pop()
        if value is None:
            problems.append(Problem("mj-0003", 400, f"{path} is null, or holds a null.", (path,)))
            return
        if depth > MAX_DEPTH:
            problems.append(errors.not_allowed(path, f"{path} is nested more than {MAX_DEPTH} levels deep."))
            return
        if isinstance(value, dict):
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
