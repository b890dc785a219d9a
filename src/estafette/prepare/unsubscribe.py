"""How unsubscribing is offered: tags that stand for the link, a footer where there is none, and the fields of the header. Pure.

Tags: `[[UNSUB_LINK_FR]]` in any language, `{{mj:unsub_link_fr}}`, both also percent-encoded (as tools that parse HTML write them) and with an http:// before
them (as editors put it there); `[[EMAIL_TO]]` is the recipient's address (contract section 8). `[[PREFERENCES_LINK_FR]]` and `{{mj:preferences_link_fr}}` are
ours: the page where a person chooses what to get.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from estafette.mail.header import Header

_OPEN, _CLOSE = r"(?:\[\[|%5B%5B)", r"(?:\]\]|%5D%5D)"
_TAG: Final = re.compile(
    rf"(?:https?://)?(?:{_OPEN}(UNSUB|PREFERENCES)_LINK(?:_([A-Z]{{2}}))?{_CLOSE}"
    r"|(?:\{\{|%7B%7B)(?: |%20){0,9}mj:(unsub|preferences)_link(?:_([a-z]{2}))?(?: |%20){0,9}(?:\}\}|%7D%7D))"
    rf"|{_OPEN}(EMAIL_TO){_CLOSE}",
    re.I | re.A,
)
SIGNS: Final = ("UNSUB_LINK", "mj:unsub_link", "PREFERENCES_LINK", "mj:preferences_link", "EMAIL_TO")
"""One of them stands in every text that has a tag."""
_URI: Final = re.compile(r"<\s*([^<>\s]{1,2000})\s*>")
LANGUAGES: Final = ("en", "fr")
_ASK: Final = {"en": "You no longer wish to receive these messages?", "fr": "Vous ne souhaitez plus recevoir ces messages&nbsp;?"}
_DO: Final = {"en": "Unsubscribe", "fr": "Se d&eacute;sinscrire"}
_CHOOSE: Final = {"en": "Choose what you receive", "fr": "Choisir ce que vous recevez"}
_STYLE: Final = "color:#595959;text-decoration:underline"
_PLAIN: Final = {"en": "To unsubscribe: ", "fr": "Pour ne plus recevoir ces messages : "}  # without accents: any charset has these letters


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag from `start` to `end`."""

    start: int
    end: int
    is_address: bool  # the recipient's address; else the link to unsubscribe
    language: str  # "fr"; "" = not said
    is_encoded: bool  # percent-encoded: it stands in an address
    is_choice: bool = False  # the link to the page of preferences

    @property
    def is_way_out(self) -> bool:
        """Whether it is the link to unsubscribe."""
        return not self.is_address and not self.is_choice


def find_tags(text: str) -> Iterator[Tag]:
    """The tags of a text, in order."""
    if not any(sign in text for sign in SIGNS):
        return  # the expression is slow, and tags are rare
    for match in _TAG.finditer(text):
        language = (match[2] or match[4] or "").lower()
        is_choice = (match[1] or match[3] or "").lower() == "preferences"
        yield Tag(match.start(), match.end(), match[5] is not None, language, "%5" in match[0] or "%7" in match[0], is_choice)


def choose_language(asked: str, of_text: str) -> str:
    """The footer's language: what the account says, else what the HTML says, else English."""
    return next((language[:2] for language in (asked.lower(), of_text) if language[:2] in LANGUAGES), "en")


def html_footer(language: str, *, has_choice: bool = False) -> tuple[str, ...]:
    """(before the address, after it); with `has_choice` (before it, between it and the address of the preferences, after that). Only ASCII, so that it fits
    into every charset; each address on a line of its own, because it may be long."""
    before = f'\r\n<div style="font-family:sans-serif;font-size:12px;line-height:1.5;color:#595959;text-align:center;padding:16px">{_ASK[language]} <a href="'
    end = f'" style="{_STYLE}">{_DO[language]}</a>'
    if not has_choice:
        return before, f"{end}</div>\r\n"
    return before, f'{end}\r\n&middot; <a href="', f'" style="{_STYLE}">{_CHOOSE[language]}</a></div>\r\n'


def text_footer(language: str, text: str) -> tuple[str, str]:
    """(before the address, after it), in the text's own line ends."""
    line_end = "\n" if "\n" in text and "\r\n" not in text else "\r\n"
    return ("" if not text or text.endswith("\n") else line_end) + line_end + _PLAIN[language], line_end


def submitters_addresses(header: Header) -> frozenset[str]:
    """What the submitter's own List-Unsubscribe names: links to there are left alone."""
    return frozenset(uri for field in header.all("List-Unsubscribe") for uri in _URI.findall(field.value))
