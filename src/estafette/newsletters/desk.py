"""What people and programs may do with newsletters: write, check, send, call back, pause, go on, cancel, try. For API, screens and commands alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from estafette.accept.authority import may_write_as
from estafette.accept.examine import examine
from estafette.accept.submit import Recipient, Request, SubmitDoor
from estafette.clock import SECOND_US, Clock
from estafette.mail.address import Address
from estafette.model import Accepted, Account, Door, Options
from estafette.newsletters.audience import campaign_of
from estafette.newsletters.checks import Finding, Surroundings, author_of, findings, stops
from estafette.newsletters.conductor import PIECE, read_segment, select
from estafette.newsletters.forecast import Forecast
from estafette.newsletters.life import UNDO_S, Order, State, after, refusal
from estafette.newsletters.segment_language import SegmentError
from estafette.nouns import Newsletter
from estafette.prepare.personal import Person, Source, Unfillable, encode_source, fill, mail_for, named_values, read_source
from estafette.store.seam import Store

SAMPLES: Final = 100
"""So many real contacts the texts are tried on before a newsletter goes."""


class Refused(Exception):
    """What was asked cannot be; the text says why, `findings` what is to be mended."""

    def __init__(self, text: str, found: Sequence[Finding] = ()) -> None:
        super().__init__(text)
        self.findings = tuple(found)


@dataclass(frozen=True, slots=True)
class NewsletterDesk:
    """One per process that takes orders."""

    store: Store
    clock: Clock

    async def examine(self, newsletter: Newsletter) -> list[Finding]:
        """Everything that is to be said before it goes. Raises StoreFault."""
        source = source_of(newsletter)
        return findings(source, await self._surroundings(newsletter, source))

    async def _surroundings(self, newsletter: Newsletter, source: Source) -> Surroundings:
        account_id = newsletter.account_id
        author = author_of(source)
        authors = await self.store.authors(account_id)
        found = await self.store.contacts.find_list(account_id, newsletter.list_id) if newsletter.list_id else None
        problem = ""
        if newsletter.segment_id:
            try:
                await read_segment(self.store, account_id, newsletter.segment_id)
            except SegmentError as error:
                problem = str(error)
        is_there = found is not None and found.deleted_at is None
        return Surroundings(
            author is not None and may_write_as(authors, author),
            author is not None and bool(await self.store.dkim_keys(account_id, author.address.domain)),
            found.name if found is not None and is_there else None, found.subscribers if found is not None else 0, problem,
            frozenset(p.name for p in await self.store.contacts.properties(account_id)), tuple(await self._samples(newsletter)) if is_there else (),
        )  # fmt: skip

    async def _samples(self, newsletter: Newsletter) -> list[Person]:
        known = await self.store.contacts.properties(newsletter.account_id)
        members = await self.store.newsletters.audience(newsletter.list_id, 0, SAMPLES)
        return [Person(m.address, m.name, named_values(known, m.properties)) for m in members]

    async def forecast(self, newsletter: Newsletter) -> Forecast:
        """What would become of its recipients if it went now; walks the whole list. Raises SegmentError and StoreFault."""
        found, shelf, now, cursor = Forecast(), self.store.newsletters, self.clock.now_us(), 0
        options = Options(campaign=campaign_of(newsletter), list_id=newsletter.list_id)
        while members := await shelf.audience(newsletter.list_id, cursor, PIECE):
            chosen = await select(self.store, newsletter, members, now)
            found.count(members, chosen, await shelf.refusals(newsletter.account_id, [one.address_key for one in chosen], options, now))
            cursor = members[-1].contact_id
        return found

    async def send(self, newsletter: Newsletter, at: int | None = None) -> Newsletter:
        """Send it at that time; None: in a minute, so that it can still be called back. Raises Refused and StoreFault."""
        self._allowed(newsletter, Order.SCHEDULE)
        found = await self.examine(newsletter)
        if stops(found):
            raise Refused("the newsletter cannot go as it is", [one for one in found if one.weight.value == "stops"])
        start_at = at if at is not None else self.clock.now_us() + int(UNDO_S * SECOND_US)
        return await self._turn(newsletter, Order.SCHEDULE, start_at)

    async def order(self, newsletter: Newsletter, order: Order) -> Newsletter:
        """Call it back, pause it, let it go on or cancel it. Raises Refused and StoreFault."""
        self._allowed(newsletter, order)
        now, campaign = self.clock.now_us(), campaign_of(newsletter)
        changed = await self._turn(newsletter, order, None)
        if newsletter.submission_id and order is Order.RESUME:
            await self.store.holds.lift(newsletter.account_id, campaign, "")
        elif newsletter.submission_id and order in (Order.PAUSE, Order.CANCEL):
            words = "the newsletter was paused" if order is Order.PAUSE else "the newsletter was cancelled"
            await self.store.holds.put(newsletter.account_id, campaign, "", now, words, is_purge=order is Order.CANCEL)
        return changed

    def _allowed(self, newsletter: Newsletter, order: Order) -> State:
        state = after(State(newsletter.state), order)
        if state is None:
            raise Refused(refusal(State(newsletter.state), order))
        return state

    async def _turn(self, newsletter: Newsletter, order: Order, start_at: int | None) -> Newsletter:
        state, now = self._allowed(newsletter, order), self.clock.now_us()
        ended_at = now if state is State.CANCELLED else None
        if not await self.store.newsletters.turn(newsletter, state.value, now, start_at=start_at, ended_at=ended_at):
            raise Refused("it changed in the meantime; look again")
        return replace(newsletter, state=state.value, start_at=start_at, ended_at=ended_at, updated_at=now)

    async def try_on(self, door: SubmitDoor, account: Account, newsletter: Newsletter, recipients: Sequence[tuple[Address, str]]) -> list[Accepted]:
        """Send it to a few addresses as it would look to them; its life goes on as before. Raises Refused and StoreFault."""
        source = source_of(newsletter)
        author = author_of(source)
        if author is None or not may_write_as(await self.store.authors(account.id), author):
            raise Refused(f"{source.author or 'an empty address'} is not a verified sender of this account")
        known = await self.store.newsletters.people(account.id, [address.key for address, _ in recipients])
        properties = await self.store.contacts.properties(account.id)
        requests = []
        try:
            letter = read_source(encode_source(msgspec.structs.replace(source, subject=f"[Test] {source.subject}")))
            for number, (address, name) in enumerate(recipients, 1):
                found, values = known.get(address.key, ("", {}))
                person = Person(str(address), name or found, named_values(properties, values))
                raw = mail_for(fill(letter, person, number, door.hostname, self.clock.now_us()))
                requests.append(Request(account, Door.CAMPAIGN, source.author, (Recipient(address),), raw, examine(raw), Options(locale=source.locale),
                                        "", "", "HTTP"))  # fmt: skip
        except Unfillable as error:
            raise Refused(str(error)) from error
        return await door.submit(requests)


def source_of(newsletter: Newsletter) -> Source:
    """What it is made from."""
    return msgspec.json.decode(newsletter.letter, type=Source)
