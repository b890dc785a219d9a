"""Where the links of an HTML text stand: offsets of the values of `href`, so that a value can be replaced and nothing else is touched.

The rules are those of the HTML standard's tokenizer (13.2.5): quotes, unquoted values, duplicate attributes (the first counts), comments, elements whose
content is text (script, style, textarea, ...). One thing is seen that a browser does not see: the inside of Outlook's conditional comments
(`<!--[if mso]> ... <![endif]-->`), with the VML shapes that are its buttons. Other comments are not looked into.

Linear: one expression walks over text and tags that do not matter, possessively, so it never goes back; an unfinished tag or comment ends the reading.
Every character is looked at twice at most (a conditional comment is first searched for its end).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_LINKS: Final = 5000
"""So many links of a text are found; those after them are left as they are."""
_S: Final = r"\t\n\f\r "  # what HTML calls white space
_WHITE: Final = "\t\n\f\r "
_ATTRIBUTES: Final = (
    rf"(?:[{_S}/]*+[^{_S}/>][^{_S}/>=]*+"  # a name: an equals sign at its first place belongs to it
    rf"(?:[{_S}]*+=[{_S}]*+(?:\"[^\"]*+\"|'[^']*+'|[^{_S}>\"'][^{_S}>]*+|(?=>))|(?![{_S}]*+=)))*+[{_S}/]*+>"
)
RAW: Final = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")  # elements whose content is no markup
_OF_INTEREST: Final = rf"(?ai:a|area|base|body|html|plaintext|v:[a-z]++|{'|'.join(RAW)})[{_S}/>]"
_PASS: Final = re.compile(rf"(?:[^<]++|<(?:(?![a-zA-Z/!?])|/?+(?!{_OF_INTEREST})[a-zA-Z][^{_S}/>]*+{_ATTRIBUTES}))*+")
TAG: Final = re.compile(rf"<(/?)([a-zA-Z][^{_S}/>]*+){_ATTRIBUTES}")
ATTRIBUTE: Final = re.compile(rf"[{_S}/]*([^{_S}/>][^{_S}/>=]*)(?:[{_S}]*=[{_S}]*(?:\"([^\"]*)\"|'([^']*)'|([^{_S}>\"'][^{_S}>]*)|(?=>)))?")
CONDITION: Final = re.compile(rf"<!--[{_S}]*\[(?ai:if)[^\]<>]*+\]>")
COMMENT_END: Final = re.compile(r"--!?>")
BOGUS: Final = re.compile(r"<(?:[!?]|/(?![a-zA-Z]))")  # a DOCTYPE, or what HTML calls a bogus comment: up to the next ">"


@dataclass(frozen=True, slots=True)
class Link:
    """The value of one `href`, quotes excluded, from `start` to `end`; the element's content up to the next end or start of an `a`."""

    start: int
    end: int
    element: str  # "a", "area", "v:roundrect", in lower case
    attributes: Mapping[str, str]  # as written (entities and all), names in lower case; of duplicates the first
    content_start: int
    content_end: int
    is_conditional: bool  # inside a conditional comment


@dataclass(frozen=True, slots=True)
class Html:
    """What was found in one text."""

    links: tuple[Link, ...]  # in the order of the text
    base: str  # the first `<base href>`, as written; "" = none
    language: str  # `<html lang>`, in lower case; "" = none
    body_end: int  # where something may be put at the end of the body
    is_whole: bool  # False: the text ends inside a tag, comment or script, and what is put after it would be part of that


@dataclass(slots=True)
class _Reading:
    """One run: what is found so far. `opened` is an `a` whose content has not ended yet."""

    text: str
    links: list[Link]
    base: str = ""
    language: str = ""
    body_end: int = -1
    html_end: int = -1
    opened: tuple[int, int, Mapping[str, str], int, bool] | None = None

    def close(self, at: int) -> None:
        if self.opened is not None:
            start, end, attributes, content_start, is_conditional = self.opened
            self.links.append(Link(start, end, "a", attributes, content_start, at, is_conditional))
            self.opened = None


def read_html(text: str) -> Html:
    """Find the links of a text. Takes anything and raises nothing."""
    reading = _Reading(text, [])
    is_whole = _read(reading, 0, len(text), False)
    reading.close(len(text))
    links = sorted(reading.links, key=lambda link: link.start)[:MAX_LINKS]
    end = reading.body_end if reading.body_end >= 0 else reading.html_end if reading.html_end >= 0 else len(text.rstrip(_WHITE))
    return Html(tuple(links), reading.base, reading.language, end, is_whole or reading.body_end >= 0 or reading.html_end >= 0)


def _read(reading: _Reading, start: int, end: int, is_conditional: bool) -> bool:
    """Read from `start` to `end`; False when that ends inside of something."""
    text, position = reading.text, start
    while True:
        passed = _PASS.match(text, position, end)
        position = passed.end() if passed else end
        if position >= end:
            return True
        tag = TAG.match(text, position, end)
        if tag is not None:
            position = _after_tag(reading, tag, end, is_conditional)
        elif text.startswith("<!--", position):
            position = _after_comment(reading, position, end, is_conditional)
        elif BOGUS.match(text, position, end):
            position = text.find(">", position + 2, end) + 1
        else:
            position = 0  # a tag without its end
        if position <= 0:
            return False


def _after_comment(reading: _Reading, start: int, end: int, is_conditional: bool) -> int:
    """Where the reading goes on after a comment; 0 when it does not end."""
    text = reading.text
    if text.startswith((">", "->"), start + 4):  # `<!-->` and `<!--->` are whole comments
        after = text.index(">", start + 4) + 1
        return after if after <= end else 0
    closing = COMMENT_END.search(text, start + 4, end)
    inside_end = closing.start() if closing else end
    condition = CONDITION.match(text, start, inside_end)
    if condition is not None and not is_conditional:  # in one, no other can end
        opened, reading.opened = reading.opened, None
        _read(reading, condition.end(), inside_end, True)
        reading.close(inside_end)
        reading.opened = opened
    return closing.end() if closing else 0


def _after_tag(reading: _Reading, tag: re.Match[str], end: int, is_conditional: bool) -> int:
    """Where the reading goes on after a tag; 0 when the element's content has no end."""
    name = tag[2].lower()
    if tag[1]:
        if name == "a":
            reading.close(tag.start())
        elif name == "body" and not is_conditional:
            reading.body_end = tag.start()
        elif name == "html" and not is_conditional:
            reading.html_end = tag.start()
        return tag.end()
    if name in RAW:
        return raw_end(reading.text, name, tag.end(), end)
    if name == "plaintext":
        return 0
    if name == "a":
        reading.close(tag.start())
    _take(reading, tag, name, is_conditional)
    return tag.end()


def _take(reading: _Reading, tag: re.Match[str], name: str, is_conditional: bool) -> None:
    """What a start tag says that is of use."""
    spans = _attributes(reading.text, tag.end(2), tag.end() - 1)
    values = {key: reading.text[first:last] for key, (first, last) in spans.items()}
    if name == "html":
        reading.language = reading.language or values.get("lang", "").lower()
    elif "href" not in spans or len(reading.links) >= MAX_LINKS:
        return
    elif name == "base":
        reading.base = reading.base or ("" if is_conditional else values["href"])
    elif name == "a":
        reading.opened = (*spans["href"], values, tag.end(), is_conditional)
    elif name == "area" or name.startswith("v:"):
        reading.links.append(Link(*spans["href"], name, values, tag.end(), tag.end(), is_conditional))


def _attributes(text: str, start: int, end: int) -> dict[str, tuple[int, int]]:
    """Where the value of every attribute stands; an attribute without a value has an empty one."""
    found: dict[str, tuple[int, int]] = {}
    for match in ATTRIBUTE.finditer(text, start, end):
        group = match.lastindex or 1
        place = match.span(group) if group > 1 else (match.end(), match.end())
        found.setdefault(match[1].lower(), place)
    return found


def raw_end(text: str, name: str, start: int, end: int) -> int:
    """Where the end tag of an element stands whose content is text; 0 when there is none."""
    position = text.find("</", start, end)
    while position >= 0:
        after = position + 2 + len(name)
        if text[position + 2 : after].lower() == name and text[after : after + 1] in ("\t", "\n", "\f", "\r", " ", "/", ">") and after < end:
            return position
        position = text.find("</", position + 2, end)
    return 0
