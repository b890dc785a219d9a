"""Who of a list is in a segment, and the messages that the audience becomes. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from estafette.audience import ContactProperty, PropertyKind
from estafette.mail.address import AddressError, parse
from estafette.model import Door, NewMessage, Options, Reason, State, Submission
from estafette.newsletters.segment_language import Call, Compare, Condition, Logic, Not
from estafette.newsletters.segment_meaning import Fact, Person, matches
from estafette.nouns import Member, Newsletter
from estafette.prepare.personal import Source, encode_source
from estafette.queue.lanes import lane_of

BULK: Final = 1
"""The priority of newsletters (contract 3.3): behind everything transactional."""
UNREADABLE: Final = Reason("recipient", "typofix")
HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that was read and checked."""

    tree: Condition
    kinds: Mapping[str, str]  # property name in lower case → kind
    names: Mapping[int, str]  # property id → name in lower case

    @property
    def asks_for_visits(self) -> bool:
        """Whether it needs to know when people last opened or clicked."""
        return _names_function(self.tree, ("hasopenedsince", "hasclickedsince"))


def kinds_of(properties: Sequence[ContactProperty]) -> tuple[dict[str, str], dict[int, str]]:
    """(name in lower case → kind, id → name in lower case)."""
    return {p.name.lower(): p.kind.value for p in properties}, {p.id: p.name.lower() for p in properties}


def selected(members: Sequence[Member], segment: Segment | None, opens: Mapping[str, int], clicks: Mapping[str, int], now: int) -> list[Member]:
    """The members that belong to the segment. `opens`, `clicks`: address key → when they last did."""
    if segment is None:
        return list(members)
    at = _time(now)
    return [m for m in members if matches(segment.tree, person_of(m, segment, opens, clicks), segment.kinds, at)]


def person_of(member: Member, segment: Segment, opens: Mapping[str, int], clicks: Mapping[str, int]) -> Person:
    """What the segment may ask of a member."""
    facts: dict[str, Fact] = {}
    for number, value in member.properties.items():
        name = segment.names.get(number)
        if name is not None:
            is_time = segment.kinds[name] == PropertyKind.DATETIME.value and isinstance(value, int)
            facts[name] = _time(int(value)) if is_time else value
    return Person(facts, _seen(opens.get(member.address_key)), _seen(clicks.get(member.address_key)))


def submission_of(newsletter: Newsletter, source: Source, members: Sequence[Member], next_id: Callable[[int], int], now: int, start_at: int,
                  keep_for_us: int) -> Submission:  # fmt: skip
    """A piece of the audience as messages of the newsletter's one submission. With a rate, the n-th of all is due n intervals after `start_at`."""
    lane = lane_of(BULK)
    messages = []
    for member in members:
        try:
            address = parse(member.address)
            state, reason, domain = State.QUEUED, Reason(), address.domain
        except AddressError:
            state, reason, domain = State.BLOCKED, UNREADABLE, ""
        messages.append(NewMessage(next_id(now), member.address, member.address_key, domain, state, reason, lane=lane))
    due_at = now
    if newsletter.rate_per_hour:
        due_at = max(now, start_at + newsletter.frozen * HOUR_US // newsletter.rate_per_hour)
    options = Options(campaign=campaign_of(newsletter), priority=BULK, list_id=newsletter.list_id, locale=locale_of(source))
    submission_id = newsletter.submission_id or (messages[0].id if messages else 0)
    return Submission(
        submission_id, newsletter.account_id, Door.CAMPAIGN, source.author, source.author, source.subject, options, now, due_at, due_at + keep_for_us,
        encode_source(source), tuple(messages),
    )  # fmt: skip


def campaign_of(newsletter: Newsletter) -> str:
    """The name of the campaign that the messages belong to: one of its kind."""
    return f"newsletter {newsletter.id}: {newsletter.title}"[:200]


def newsletter_in(campaign: str) -> int:
    """The number of the newsletter that a campaign's name may be of, 0 = none; whoever names a campaign so without one is found out by `campaign_of`."""
    number, colon, _ = campaign.removeprefix("newsletter ").partition(": ")
    is_one = colon and campaign.startswith("newsletter ") and number.isascii() and number.isdecimal() and len(number) <= 15
    return int(number) if is_one else 0


def locale_of(source: Source) -> str:
    """The language of the footer."""
    return source.locale[:2].lower()


def piece_size(newsletter: Newsletter, usual: int) -> int:
    """How many contacts are frozen at once: with a rate no more than a minute's worth, so that due times stay near the truth."""
    return usual if not newsletter.rate_per_hour else max(1, min(usual, newsletter.rate_per_hour // 60))


def _names_function(tree: Condition, names: Sequence[str]) -> bool:
    match tree:
        case Logic(_, left, right):
            return _names_function(left, names) or _names_function(right, names)
        case Not(inner):
            return _names_function(inner, names)
        case Call(name, _):
            return name in names
        case Compare():
            return False


def _time(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)


def _seen(at_us: int | None) -> datetime | None:
    return None if at_us is None else _time(at_us)
