"""What is changed in one text: links, tags, footer and pixel, as places with constants and numbers of values. Pure, and knows nothing of encodings."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from itertools import islice
from typing import Final

from estafette.model import Content
from estafette.prepare import tokens
from estafette.prepare.html_spans import MAX_LINKS, Html, read_html
from estafette.prepare.letter import ADDRESS_HTML, ADDRESS_TEXT, ADDRESS_URL, FIRST_SEAL, FIRST_SIZES
from estafette.prepare.links import MAX_SHOWN, Found, Rules, base_of, find_html_links, find_text_links, judge
from estafette.prepare.own import Fluid, Given, Own
from estafette.prepare.pieces import Item, Place, settled
from estafette.prepare.tokens import OpenMode, Seal, Sealer
from estafette.prepare.tracking import LeftOff, Offer, Tracking
from estafette.prepare.unsubscribe import Tag, choose_language, find_tags, html_footer, text_footer

MAX_TAGS: Final = 5000
"""So many tags of a text are obeyed; those after them are left as they are."""


@dataclass(slots=True)
class Work:
    """One compilation of a mail: what is asked for, the tokens so far, what was found on the way."""

    content: Content
    tracking: Tracking
    sealer: Sealer
    opens: OpenMode
    rules: Rules
    seals: list[Seal] = field(default_factory=list)
    links: int = 0  # tracked ones, so far: the number of the next
    first_target: str = ""  # of the first tracked link
    numbers: set[int] = field(default_factory=set)  # of the values that are no tokens and are needed
    left_off: list[LeftOff] = field(default_factory=list)
    offers: dict[str, list[Item]] = field(default_factory=dict)  # links to unsubscribe, by language
    has_offer: bool = False  # a link to unsubscribe is in the body
    language: str = ""  # of the HTML that was read last, or of the account
    own: Own | None = None  # words in the texts that stand for what recipients bring
    first_number: int | None = None  # of the address of the first tracked link, when every recipient has another: `first_target` is that of one of them

    def __post_init__(self) -> None:
        self.language = choose_language(self.tracking.language, "")

    @property
    def asks_for_tracking(self) -> bool:
        return bool(self.opens or self.rules.clicks)

    @property
    def asks_for_anything(self) -> bool:
        return self.asks_for_tracking or bool(self.rules.url_tags) or self.tracking.offer > Offer.NONE or self.own is not None

    @property
    def sizes(self) -> list[int]:
        own = len(self.own.makers) if self.own is not None else 0
        return [*FIRST_SIZES, *[tokens.TAIL if seal.keyring is None else 0 for seal in self.seals], *[0] * own]

    def link(self, found: Found) -> list[Item]:
        """What stands in the place of a link."""
        if not found.is_tracked:
            return [found.url]
        number, self.links = self.links, self.links + 1
        self.first_target = self.first_target or found.url
        return self.sealed(tokens.CLICK, self.sealer.click(number, found.url))

    def own_link(self, own: Own, fluid: Fluid, base: str) -> list[Item] | None:
        """The same for a link with values in it. None: it is left alone, its values stand in it."""
        judged = fluid.judged(own.sample, base, self.rules)
        if judged is None or not fluid.is_own_address:
            own.checks.append(lambda given: fluid.judged(given, base, self.rules) == judged)
            return _escaped(self.link(Found(0, 0, *judged))) if judged is not None else None
        if not judged[1]:
            return [own.add(lambda given: escape(fluid.address(given, base, self.rules, is_tracked=False)).encode("ascii"))]
        number, self.links = self.links, self.links + 1
        if not self.first_target:
            self.first_target, self.first_number = judged[0], self._own_token(own, fluid, base, tokens.TRAP_LINK)
        return [self._own_token(own, fluid, base, number)]

    def _own_token(self, own: Own, fluid: Fluid, base: str, number: int) -> int:
        before, sealer, rules = escape(f"{self.tracking.url}/{tokens.PATHS[tokens.CLICK]}/"), self.sealer, self.rules

        def make(given: Given) -> bytes:
            seal = sealer.click(number, fluid.address(given, base, rules, is_tracked=True))
            return f"{before}{seal.head}".encode("ascii") + tokens.tails([seal], given.message_id)[0]

        return own.add(make)

    def unsubscribing(self, language: str) -> list[Item]:
        """The same for all places of a mail in which the same is said."""
        self.has_offer = True
        if language not in self.offers:
            self.offers[language] = self.sealed(tokens.UNSUBSCRIBE, self.sealer.unsubscribe(self.tracking.list_id, language))
        return self.offers[language]

    def preferring(self, language: str) -> list[Item]:
        """The page of preferences: the same token as the link to unsubscribe, on another path. Who may leave all may choose what to leave."""
        before, number = self.unsubscribing(language)
        assert isinstance(before, str)
        head = before.removeprefix(f"{self.tracking.url}/{tokens.PATHS[tokens.UNSUBSCRIBE]}/")
        return [f"{self.tracking.url}/{tokens.PREFERENCES}/{head}", number]

    def opening(self) -> list[Item]:
        return self.sealed(tokens.OPEN, self.sealer.open(self.opens))

    def hidden_link(self) -> list[Item]:
        """A link that no person sees or reaches by keyboard. It leads where the first one does: a scanner meets nothing that the mail does not show."""
        seal = self.sealer.click(tokens.TRAP_LINK, self.first_target)
        address = _escaped(self.sealed(tokens.CLICK, seal)) if self.first_number is None else [self.first_number]
        return ['<a href="', *address, '" style="display:none" tabindex="-1" aria-hidden="true"></a>']

    def sealed(self, kind: str, seal: Seal) -> list[Item]:
        """The address of a token: what is constant, and the number of its end."""
        self.seals.append(seal)
        return [f"{self.tracking.url}/{tokens.PATHS[kind]}/{seal.head}", FIRST_SEAL + len(self.seals) - 1]


def edit_html(work: Work, text: str, *, is_last: bool, wants_footer: bool) -> list[Place]:
    """Everything that is asked for in an HTML text. `is_last`: it is the mail's last one, where pixel and footer belong."""
    found = read_html(text)
    work.language = choose_language(work.tracking.language, found.language)
    if work.own is not None:
        places = _own_places(work, work.own, text, found)
    else:
        links = find_html_links(text, found, work.rules) if _changes_links(work.rules) else ()
        places = [(link.start, link.end, _escaped(work.link(link))) for link in links]
    places += [(tag.start, tag.end, _escaped(_tag(work, tag, found))) for tag in _tags(work, text)]
    end: list[Item] = work.hidden_link() if is_last and work.first_target and found.is_whole else []
    if is_last and wants_footer:
        before, *between, after = html_footer(work.language, has_choice=work.tracking.list_id != 0)
        end += [before, *_escaped(work.unsubscribing(work.language))]
        for piece in between:  # a mail to a list: its recipient can choose among lists as well
            end += [piece, *_escaped(work.preferring(work.language))]
        end.append(after)
    if is_last and work.opens:
        end += ['<img src="', *_escaped(work.opening()), '" width="1" height="1" border="0" alt="" style="width:1px;height:1px;border:0">']
    if end and not found.is_whole:
        work.left_off.append(LeftOff.CUT_OFF)
    elif end:
        places.append((found.body_end, found.body_end, end))
    return settled(places)


def _own_places(work: Work, own: Own, text: str, found: Html) -> list[Place]:
    """The links, and the values that recipients bring, in one text."""
    places: list[Place] = []
    base = base_of(found)
    for link in found.links if _changes_links(work.rules) else ():
        fluid = own.fluid(text, link)
        if fluid is not None:
            items = work.own_link(own, fluid, base)
        else:
            judged = judge(text[link.start : link.end], text[link.content_start : link.content_end][:MAX_SHOWN], link, base, work.rules)
            items = _escaped(work.link(Found(link.start, link.end, *judged))) if judged is not None else None
        if items is not None:
            places.append((link.start, link.end, items))
    return places + own.places(text, [(start, end) for start, end, _ in places], is_html=True)


def edit_text(work: Work, text: str, *, wants_footer: bool) -> list[Place]:
    """Everything that is asked for in a plain text."""
    links = islice(find_text_links(text, work.rules), MAX_LINKS) if work.tracking.text_links and _changes_links(work.rules) else ()
    places: list[Place] = [(link.start, link.end, work.link(link)) for link in links]
    if work.own is not None:
        places += work.own.places(text, [(start, end) for start, end, _ in places], is_html=False)
    places += [(tag.start, tag.end, _tag(work, tag, None)) for tag in _tags(work, text)]
    if wants_footer:
        before, after = text_footer(work.language, text)
        places.append((len(text), len(text), [before, *work.unsubscribing(work.language), after]))
    return settled(places)


def _changes_links(rules: Rules) -> bool:
    return rules.clicks or bool(rules.url_tags)


def _tags(work: Work, text: str) -> Iterable[Tag]:
    return islice(find_tags(text), MAX_TAGS) if work.tracking.offer > Offer.NONE else ()


def _tag(work: Work, tag: Tag, html: Html | None) -> list[Item]:
    """What stands in the place of a tag; `html` is None in a plain text."""
    if not tag.is_address:
        return (work.preferring if tag.is_choice else work.unsubscribing)(tag.language or work.language)
    if tag.is_encoded or (html and _is_in_link(html, tag.start)):
        return [ADDRESS_URL]
    return [ADDRESS_HTML if html else ADDRESS_TEXT]


def _is_in_link(html: Html, offset: int) -> bool:
    i = bisect_right(html.links, offset, key=lambda link: link.start) - 1
    return i >= 0 and offset < html.links[i].end


def _escaped(items: list[Item]) -> list[Item]:
    return [escape(item) if isinstance(item, str) else item for item in items]
