"""Command grammar: RFC 5321 4.1.2 with the parameters of SIZE (1870), 8BITMIME (6152), AUTH (4954), DSN (3461), SMTPUTF8 (6531).

Everything here is a pure function of one command line without its CRLF. What cannot be parsed raises `Refusal` with the reply to give.
"""

import re
from dataclasses import dataclass

from estafette.mail.smtp.replies import Reply, reply

_COMMAND = re.compile(rb"([A-Za-z]{1,12})(?: (.*))?", re.S)
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff"
_LOCAL = rf'(?:[{_ATEXT}]+(?:\.[{_ATEXT}]+)*|"(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*")'
_LABEL = r"[A-Za-z0-9_\u0080-\U0010ffff](?:[A-Za-z0-9_\-\u0080-\U0010ffff]*[A-Za-z0-9_\u0080-\U0010ffff])?"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9.]{{7,15}}\]|\[IPv6:[0-9A-Fa-f:.]{{2,45}}\])"
_ROUTE = rf"(?:@{_DOMAIN}(?:,@{_DOMAIN})*:)?"  # accepted and ignored (RFC 5321 appendix C)
_PATH = re.compile(rf"<(?:{_ROUTE}({_LOCAL})@({_DOMAIN}))?>")
_POSTMASTER = re.compile(r"<postmaster>", re.I)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u0080-\U0010ffff]+))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")


class Refusal(Exception):
    """The command cannot be obeyed; carries the reply."""

    def __init__(self, answer: Reply) -> None:
        super().__init__(str(answer))
        self.reply = answer


@dataclass(frozen=True, slots=True)
class MailParameters:
    size_bytes: int | None = None
    is_8bit: bool = False
    smtputf8: bool = False
    auth: str = ""
    ret: str = ""  # FULL or HDRS
    envid: str = ""  # xtext as given


@dataclass(frozen=True, slots=True)
class RcptParameters:
    notify: str = ""  # NEVER, or a list of SUCCESS, FAILURE, DELAY
    orcpt: str = ""  # type;xtext as given


@dataclass(frozen=True, slots=True)
class Offered:
    """Extensions whose parameters may be used in this session."""

    size_limit: int = 0
    smtputf8: bool = True
    dsn: bool = False
    postmaster: bool = False  # the recipient `<postmaster>` without a domain


def parse_command(line: bytes) -> tuple[str, bytes]:
    """(verb in upper case, argument). Verbs are matched whole: `DATAX` is not DATA."""
    if b"\x00" in line or b"\n" in line or b"\r" in line:
        raise Refusal(reply(500, "5.5.2", "Control characters are not allowed in a command"))
    match = _COMMAND.fullmatch(line.rstrip(b" \t"))
    if match is None:
        raise Refusal(reply(500, "5.5.2", "Not a command"))
    return match[1].decode().upper(), match[2] or b""


def parse_mail(argument: bytes, offered: Offered) -> tuple[str, MailParameters]:
    """`FROM:<path> parameters` → (reverse-path, "" when null, parameters)."""
    path, rest = _split_path(argument, b"FROM:")
    parameters = MailParameters(**_parse_parameters(rest, _MAIL, offered))  # type: ignore[arg-type]
    address = _parse_path(path, parameters.smtputf8, is_recipient=False)
    if offered.size_limit and (parameters.size_bytes or 0) > offered.size_limit:
        raise Refusal(reply(552, "5.3.4", f"Message size exceeds the limit of {offered.size_limit} octets"))
    return address, parameters


def parse_rcpt(argument: bytes, offered: Offered, *, smtputf8: bool) -> tuple[str, RcptParameters]:
    """`TO:<path> parameters` → (recipient, parameters)."""
    path, rest = _split_path(argument, b"TO:")
    parameters = RcptParameters(**_parse_parameters(rest, _RCPT, offered))  # type: ignore[arg-type]
    if _POSTMASTER.fullmatch(path):
        if not offered.postmaster:
            raise Refusal(reply(550, "5.1.1", "There is no local postmaster mailbox here; write to postmaster at your provider's domain"))
        return "postmaster", parameters
    return _parse_path(path, smtputf8, is_recipient=True), parameters


def parse_bdat(argument: bytes) -> tuple[int, bool | None]:
    """`size [LAST]` → (octets that follow, whether they are the last; None when what stands behind the size is not understood).

    Raises Refusal when the size itself cannot be read.
    """
    words = argument.split()
    if not words or not words[0].isdigit() or len(words[0]) > 18:
        raise Refusal(reply(501, "5.5.4", "Syntax: BDAT size [LAST]"))
    is_last = {(): False, (b"LAST",): True}.get(tuple(word.upper() for word in words[1:]))
    return int(words[0]), is_last


def _split_path(argument: bytes, keyword: bytes) -> tuple[str, str]:
    if argument[: len(keyword)].upper() != keyword:
        raise Refusal(reply(501, "5.5.4", f"Syntax: {keyword.decode()}<address>"))
    try:
        text = argument[len(keyword) :].decode("utf-8").lstrip(" ")
    except UnicodeDecodeError:
        raise Refusal(reply(501, "5.5.2", "The address is not UTF-8")) from None
    end = _path_end(text)
    if end < 0 or (len(text) > end and text[end] != " "):
        raise Refusal(reply(501, "5.1.7" if keyword == b"FROM:" else "5.1.3", "The address must stand in <angle brackets>"))
    return text[:end], text[end:].strip(" ")


def _path_end(text: str) -> int:
    """Index after the closing bracket; brackets inside a quoted local part do not count."""
    if not text.startswith("<"):
        return -1
    is_quoted, i = False, 1
    while i < len(text):
        char = text[i]
        if is_quoted and char == "\\":
            i += 1
        elif char == '"':
            is_quoted = not is_quoted
        elif char == ">" and not is_quoted:
            return i + 1
        i += 1
    return -1


def _parse_path(path: str, smtputf8: bool, *, is_recipient: bool) -> str:
    status = "5.1.3" if is_recipient else "5.1.7"
    match = _PATH.fullmatch(path)
    if match is None or (is_recipient and match[2] is None):
        raise Refusal(reply(501, status, f"Not a valid address: {path}"))
    local, domain = match[1] or "", match[2] or ""
    if not domain:
        return ""
    if not (local.isascii() and domain.isascii()) and not smtputf8:
        raise Refusal(reply(553, "5.6.7", "An address with non-ASCII characters needs the SMTPUTF8 parameter on MAIL"))
    if len(local.encode()) > 64:
        raise Refusal(reply(501, status, "The local part is longer than 64 octets"))
    if len(domain.encode()) > 255 or any(len(label.encode()) > 63 for label in domain.split(".")):
        raise Refusal(reply(501, status, "The domain is longer than 255 octets or has a label longer than 63"))
    return f"{local}@{domain}"


def _parse_parameters(text: str, known: dict[str, str], offered: Offered) -> dict[str, object]:
    found: dict[str, object] = {}
    for word in text.split(" ") if text else ():
        if not word:
            continue
        match = _PARAMETER.fullmatch(word)
        name = match[1].upper() if match else ""
        if match is None or name not in known or not _is_offered(name, offered):
            raise Refusal(reply(555, "5.5.4", f"Parameter not recognised: {word[:60]}"))
        if known[name] in found:
            raise Refusal(reply(501, "5.5.4", f"Parameter given twice: {name}"))
        found[known[name]] = _parameter_value(name, match[2] or "")
    return found


def _is_offered(name: str, offered: Offered) -> bool:
    if name in ("RET", "ENVID", "NOTIFY", "ORCPT"):
        return offered.dsn
    return offered.smtputf8 if name == "SMTPUTF8" else True


def _parameter_value(name: str, value: str) -> object:
    upper = value.upper()
    valid: object = None
    if name == "SIZE" and value.isascii() and value.isdigit() and len(value) <= 20:
        valid = int(value)
    elif name == "BODY" and upper in ("7BIT", "8BITMIME"):
        valid = upper == "8BITMIME"
    elif name == "SMTPUTF8" and not value:
        valid = True
    elif (name == "AUTH" and value) or (name == "ENVID" and 0 < len(value) <= 100 and _XTEXT.fullmatch(value)):
        valid = value
    elif name == "RET" and upper in ("FULL", "HDRS"):
        valid = upper
    elif name == "NOTIFY":
        words = upper.split(",")
        if words == ["NEVER"] or (set(words) <= {"SUCCESS", "FAILURE", "DELAY"} and len(set(words)) == len(words)):
            valid = upper
    elif name == "ORCPT" and len(value) <= 500 and re.fullmatch(r"[A-Za-z0-9-]+;.+", value):
        valid = value
    if valid is None:
        raise Refusal(reply(501, "5.5.4", f"Bad value for {name}"))
    return valid


_MAIL = {"SIZE": "size_bytes", "BODY": "is_8bit", "SMTPUTF8": "smtputf8", "AUTH": "auth", "RET": "ret", "ENVID": "envid"}
_RCPT = {"NOTIFY": "notify", "ORCPT": "orcpt"}
