"""Which links of a text are tracked, and where they lead. Pure.

Left alone: everything that is no http or https address (mailto:, tel:, fragments, relative ones without a `<base>`), links to unsubscribe, links that opt out,
links with a template tag left in them, and links whose visible text is itself an address, because mail readers warn when the two differ.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.entities import html5
from typing import Final
from urllib.parse import quote, urljoin

from estafette.mail.address import AddressError, parse_domain
from estafette.prepare.html_spans import Html, Link
from estafette.prepare.tokens import MAX_TARGET

_SAFE: Final = "!#$%&'()*+,-./:;=?@_~[]"  # of an address, beside letters and digits
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9!#$%&'()*+,\-./:;=?@_~\[\]]+")
_ADDRESS: Final = re.compile(r"(https?)://([^/?#]+)(.*)", re.I | re.S)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,7};?|#[xX][0-9a-fA-F]{1,6};?|[A-Za-z][A-Za-z0-9]{1,31};?)")
# Words in lower case, looked for one by one: a third of the time of an expression that looks for all and for both cases.
_LEFT_OVER: Final = ("{{", "{%", "[[", "*|", "<%", "%7b%7b", "%5b%5b")
_UNSUBSCRIBE: Final = (
    "unsub", "optout", "opt-out", "opt_out", "opt out", "désinscri", "desinscri", "d%c3%a9sinscri", "désabonn", "desabonn", "d%c3%a9sabonn",
)  # fmt: skip
_SHOWN_ADDRESS: Final = ("http://", "https://", "www.")
_SHOWN_NAME: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[^\W\d_]{2,24}(?::[0-9]+)?(?:[/?#]\S*)?")
_MARKUP: Final = re.compile(r"<[^<>]*>")
_TEXT_ADDRESS: Final = re.compile(r"https?://[^\s<>\"\x00-\x1f\x7f]+", re.I)
MAX_WRITTEN: Final = 20_000  # characters of an attribute's value that are read
MAX_SHOWN: Final = 2000  # characters of an element's content that are looked at
_OFF: Final = frozenset({"off", "no", "false", "0", "none"})
SWITCHES: Final = frozenset({"clicktracking", "data-clicktracking", "data-click-tracking", "data-track", "data-tracking"})
FLAGS: Final = frozenset({"data-no-track", "data-notrack", "data-pm-no-track", "mc:disable-tracking", "disable-tracking"})


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the links of one mail."""

    clicks: bool
    shown_addresses: bool = False  # see Tracking
    url_tags: str = ""
    untouched: frozenset[str] = frozenset()  # addresses to unsubscribe that the submitter names in the header
    own: str = ""  # what our own links begin with: a mail that is sent on is not tracked twice


@dataclass(frozen=True, slots=True)
class Found:
    """A link that gets another address in its place from `start` to `end`."""

    start: int
    end: int
    url: str  # ASCII, http:// or https://
    is_tracked: bool  # False: only `url_tags` were added


def find_html_links(text: str, found: Html, rules: Rules) -> Iterator[Found]:
    """The links of an HTML text that are changed, in order."""
    base = base_of(found)
    for link in found.links:
        judged = judge(text[link.start : link.end], text[link.content_start : min(link.content_end, link.content_start + MAX_SHOWN)], link, base, rules)
        if judged is not None:
            yield Found(link.start, link.end, *judged)


def base_of(found: Html) -> str:
    """What the relative links of a text are relative to; "" = nothing."""
    return target_of(found.base, "") or ""


def judge(written: str, content: str, link: Link, base: str, rules: Rules) -> tuple[str, bool] | None:
    """(address, whether it is tracked) of a link that is changed; None for one that is left alone. `written`: its attribute; `content`: of its element."""
    url = target_of(written, base)
    if url is None or _is_untouched(url, rules):
        return None
    shown = _visible(content)
    if is_unsubscribing(shown):
        return None
    is_tracked = rules.clicks and not is_opted_out(link.attributes) and (rules.shown_addresses or not is_address(shown))
    return _settled(url, is_tracked, rules)


def find_text_links(text: str, rules: Rules) -> Iterator[Found]:
    """The addresses of a plain text that are changed, in order, without the punctuation after them."""
    for match in _TEXT_ADDRESS.finditer(text):
        if match.end() - match.start() > 2 * MAX_TARGET:
            continue
        written = match[0].rstrip(".,;:!?'*_>")
        while written.endswith((")", "]")) and written.count(written[-1]) > written.count("(" if written.endswith(")") else "["):
            written = written[:-1].rstrip(".,;:!?'")
        url = target_of(written, "", is_html=False)
        if url is None or _is_untouched(url, rules):
            continue
        settled = _settled(url, rules.clicks, rules)
        if settled is not None:
            yield Found(match.start(), match.start() + len(written), *settled)


def _is_untouched(url: str, rules: Rules) -> bool:
    return url in rules.untouched or (rules.own != "" and url.startswith(rules.own)) or is_unsubscribing(url)


def is_unsubscribing(text: str) -> bool:
    """Whether an address or the visible text of a link speaks of unsubscribing, in English or French."""
    return _holds(text, _UNSUBSCRIBE)


def _holds(text: str, words: tuple[str, ...]) -> bool:
    lowered = text.lower()
    return any([word in lowered for word in words])


def _settled(url: str, is_tracked: bool, rules: Rules) -> tuple[str, bool] | None:
    if rules.url_tags:
        tagged = add_tags(url, rules.url_tags)
        if len(tagged) <= MAX_TARGET:
            return tagged, is_tracked
    return (url, True) if is_tracked else None


def target_of(value: str, base: str, *, is_html: bool = True) -> str | None:
    """Where a link leads: an http or https address in ASCII; None for anything else and for what is too long for a token.

    `value` is an attribute as written; `base` is what relative ones are relative to, "" = nothing.
    """
    if len(value) > MAX_WRITTEN:
        return None
    url = (unescape(value) if is_html and "&" in value else value).strip("\0\t\n\f\r\x0b ")
    if not _PLAIN.fullmatch(url):
        url = url.replace("\t", "").replace("\n", "").replace("\r", "")  # as a browser does
    if not _ADDRESS.match(url):
        if not base or not url or url.startswith("#") or _SCHEME.match(url):
            return None
        try:
            url = urljoin(base, url)
        except ValueError:
            return None
    if _holds(url, _LEFT_OVER):
        return None
    if not _PLAIN.fullmatch(url):
        url = _in_ascii(url)
    return url if 0 < len(url) <= MAX_TARGET else None


def _in_ascii(url: str) -> str:
    """An address as it goes into a Location field; "" when it cannot be written so."""
    match = _ADDRESS.fullmatch(url)
    if match is None or "\\" in url:
        return ""
    scheme, authority, rest = match[1].lower(), match[2], match[3]
    try:
        if not authority.isascii():
            user, at, place = authority.rpartition("@")
            host, colon, port = place.partition(":")
            authority = f"{quote(user, _SAFE)}{at}{parse_domain(host)}{colon}{port}"
        written = f"{scheme}://{authority}{quote(rest, _SAFE)}"
    except (AddressError, UnicodeError):
        return ""
    return written if _PLAIN.fullmatch(written) else ""


def unescape(value: str) -> str:
    """Character references in an attribute: those without a semicolon do not count before a letter, a digit or "=" (HTML standard 13.2.5.73).

    `html.unescape` is for text and would make "?a=1&copy=2" a copyright sign.
    """
    return _REFERENCE.sub(_character, value)


def _character(match: re.Match[str]) -> str:
    text = match[0]
    if text[1] == "#":
        return html.unescape(text)
    if text[-1] != ";" and match.string[match.end() : match.end() + 1] == "=":
        return text
    return html5.get(text[1:], text)


def add_tags(url: str, tags: str) -> str:
    """An address with more in its query (contract 2.2)."""
    address, hash_sign, fragment = url.partition("#")
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{quote(tags.lstrip('?&'), _SAFE.replace('#', ''))}{hash_sign}{fragment}"


def is_opted_out(attributes: Mapping[str, str]) -> bool:
    """Whether the element says that it is not to be tracked, in one of the ways that are common."""
    if FLAGS.isdisjoint(attributes) and SWITCHES.isdisjoint(attributes):
        return False
    if any(name in attributes and attributes[name].strip().lower() not in _OFF for name in FLAGS):
        return True
    return any(attributes.get(name, "").strip().lower() in _OFF for name in SWITCHES)


def is_address(shown: str) -> bool:
    """Whether a visible text is, or holds, a web address."""
    return ("." in shown or "://" in shown) and (_holds(shown, _SHOWN_ADDRESS) or _SHOWN_NAME.fullmatch(shown) is not None)


def _visible(content: str) -> str:
    if "<" in content:
        content = _MARKUP.sub("", content)
    return html.unescape(content).strip("\t\n\f\r \u00a0\u200b\u200c\u200d\ufeff") if content else ""
