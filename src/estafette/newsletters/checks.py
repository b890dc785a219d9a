"""What is looked at before a newsletter may go: what stops it, and what only deserves a second look. Pure.

Every finding has a fixed `code` (the screens translate it), and the values that its sentence names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from estafette.mail.address import AddressError, Mailbox, parse
from estafette.prepare.html_spans import read_html
from estafette.prepare.personal import Letter, Person, Source, Unfillable, encode_source, fill, mail_for, read_source
from estafette.prepare.unsubscribe import find_tags

CLIPPED_FROM: Final = 102_400
"""Octets of HTML from which on Gmail shows a part only, and no link to unsubscribe."""
_IMAGE: Final = re.compile(r"<img\b[^>]{0,4000}>", re.I)
_TAG: Final = re.compile(r"\{[{%][^{}]{1,2000}[%}]\}|\[\[[^\[\]]{1,300}\]\]")
_NAME: Final = re.compile(r"\b(data|var):(\w+(?:-\w+)*)")
_SCRIPT: Final = re.compile(r"<script\b", re.I)
SHORTENERS: Final = frozenset({"bit.ly", "tinyurl.com", "goo.gl", "t.co", "ow.ly", "is.gd", "buff.ly", "rebrand.ly", "cutt.ly"})


class Weight(StrEnum):
    STOPS = "stops"
    WARNS = "warns"
    TELLS = "tells"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    code: str
    weight: Weight
    values: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the newsletter."""

    may_write: bool  # the author is verified for the account
    has_key: bool  # a DKIM key of the author's domain
    list_name: str | None  # None: no list, or one that is gone
    subscribers: int = 0
    segment_problem: str = ""
    properties: frozenset[str] = frozenset()  # names that contacts of the account may have values for
    samples: tuple[Person, ...] = ()  # real contacts that the texts are tried on


def findings(source: Source, about: Surroundings) -> list[Finding]:
    """Everything, what stops first."""
    found = [*_ground(source, about), *_texts(source, about)]
    return sorted(found, key=lambda one: list(Weight).index(one.weight))


def stops(found: list[Finding]) -> bool:
    """Whether the newsletter may not go."""
    return any(one.weight is Weight.STOPS for one in found)


def _ground(source: Source, about: Surroundings) -> list[Finding]:
    found = []
    try:
        parse(source.author)
        if not about.may_write:
            found.append(Finding("author_not_verified", Weight.STOPS, {"author": source.author}))
        elif not about.has_key:
            found.append(Finding("not_signed", Weight.WARNS, {"domain": source.author.rpartition("@")[2]}))
    except AddressError:
        found.append(Finding("author_missing", Weight.STOPS, {"author": source.author}))
    if about.list_name is None:
        found.append(Finding("list_missing", Weight.STOPS))
    elif not about.subscribers:
        found.append(Finding("list_empty", Weight.STOPS, {"list": about.list_name}))
    if about.segment_problem:
        found.append(Finding("segment_broken", Weight.STOPS, {"problem": about.segment_problem}))
    if not source.subject.strip():
        found.append(Finding("subject_missing", Weight.STOPS))
    if not (source.html.strip() or source.text.strip()):
        found.append(Finding("texts_missing", Weight.STOPS))
    return found


def _texts(source: Source, about: Surroundings) -> list[Finding]:
    found: list[Finding] = []
    try:
        letter = read_source(encode_source(source))
    except Unfillable as error:
        return [] if not source.author else [Finding("template_broken", Weight.STOPS, {"problem": str(error)})]
    unknown = _unknown_names(source, about.properties)
    if unknown:
        found.append(Finding("names_unknown", Weight.WARNS, {"names": ", ".join(unknown[:20])}))
    found += _tried(letter, about.samples)
    if source.html:
        found += _html(source.html)
    if len(source.subject) > 70:
        found.append(Finding("subject_long", Weight.TELLS, {"characters": len(source.subject)}))
    if source.subject.isupper() and len(source.subject) > 10:
        found.append(Finding("subject_shouts", Weight.WARNS))
    return found


def _unknown_names(source: Source, properties: frozenset[str]) -> list[str]:
    """Names in tags that nobody can have a value for, also where a default stands in: a slip of the pen looks just like that."""
    tags = (tag for text in (source.subject, source.html, source.text) for tag in _TAG.findall(text))
    named = dict.fromkeys(match for tag in tags for match in _NAME.findall(tag))
    return [f"{space}:{name}" for space, name in named if name not in (properties if space == "data" else source.variables)]


def _tried(letter: Letter, samples: tuple[Person, ...]) -> list[Finding]:
    """The texts filled with what is known of real people: the first mistake, and for how many it would happen."""
    problems: dict[str, int] = {}
    for number, person in enumerate(samples, 1):
        try:
            mail_for(fill(letter, person, number, "check.invalid", 0))
        except Unfillable as error:
            problems[str(error)] = problems.get(str(error), 0) + 1
    return [Finding("not_fillable", Weight.STOPS, {"problem": text, "people": count, "of": len(samples)}) for text, count in list(problems.items())[:5]]


def _html(html: str) -> list[Finding]:
    found = []
    if not any(tag.is_way_out for tag in find_tags(html)):
        found.append(Finding("unsubscribe_inserted", Weight.TELLS))
    size = len(html.encode())
    if size > CLIPPED_FROM:
        found.append(Finding("html_long", Weight.WARNS, {"octets": size, "limit": CLIPPED_FROM}))
    images = _IMAGE.findall(html)
    without_text = sum("alt=" not in image.lower() for image in images)
    if without_text:
        found.append(Finding("images_without_text", Weight.WARNS, {"images": without_text, "of": len(images)}))
    if _SCRIPT.search(html):
        found.append(Finding("script", Weight.WARNS))
    targets = [link.attributes.get("href", "").strip() for link in read_html(html).links]
    found += [Finding("link_empty", Weight.WARNS, {"link": target}) for target in sorted({t for t in targets if t in ("", "#", "http://", "https://")})]
    found += [Finding("link_shortened", Weight.WARNS, {"host": host}) for host in sorted({_host_of(t) for t in targets} & SHORTENERS)]
    if not targets:
        found.append(Finding("no_links", Weight.TELLS))
    return found


def _host_of(target: str) -> str:
    try:
        return (urlsplit(target).hostname or "").lower().removeprefix("www.")
    except ValueError:
        return ""


def author_of(source: Source) -> Mailbox | None:
    """The author of a source, None when it is no address."""
    try:
        return Mailbox(source.author_name, parse(source.author))
    except AddressError:
        return None
