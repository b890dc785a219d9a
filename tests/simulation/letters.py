"""Newsletters in a simulated life: written in peace, due in the middle of everything. Whoever is on the list to the end has one message, and only one.

And what follows the mail is held to account: the counters that were kept up through every death are those that all events give when they are folded anew.
"""

import random
from typing import Any, Final

from estafette.audience import ContactChange, ListAction, Trace
from estafette.clock import SECOND_US, Clock
from estafette.newsletters import conductor
from estafette.newsletters.desk import NewsletterDesk
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source, encode_source
from estafette.stats.folder import catch_up, rebuild
from estafette.store.database import Database
from tests.simulation.invariants import Witness

SUBJECT: Final = "letter "
KINDS: Final = ("good", "good", "nobody", "full")
PIECE: Final = 4
"""Recipients that become messages in one transaction here: an audience takes several, and workers die between them."""
UNDER_WAY: Final = "('scheduled', 'freezing', 'sending')"
COUNTED: Final = ("counter", "reach")


class Letters:
    """The newsletters of one life."""

    def __init__(self, store: Database, clock: Clock, witness: Witness, chance: random.Random) -> None:
        self._store = store
        self._clock = clock
        self._witness = witness
        self._chance = chance
        self._piece = conductor.PIECE

    async def write(self, count: int, accounts: dict[str, int], domains: list[str], span_s: float) -> None:
        """So many newsletters, each to a list of its own."""
        conductor.PIECE = PIECE  # type: ignore[misc]
        chance, now = self._chance, self._clock.now_us()
        for number in range(count):
            name = chance.choice(sorted(accounts))
            account_id = accounts[name]
            made = await self._store.contacts.create_list(account_id, f"list {number}", f"list{number}", now)
            assert made is not None
            people = {f"{chance.choice(KINDS)}-{chance.randrange(40)}@{chance.choice(domains)}" for _ in range(chance.randint(1, 12))}
            changes = [ContactChange(address, address) for address in sorted(people)]
            await self._store.contacts.apply(account_id, changes, {made.id: ListAction.ADD_FORCE}, Trace("test"), now)
            source = Source(author=f"news@{name}.example", subject=f"{SUBJECT}{number}", html=f"<p>This is {SUBJECT}{number}</p>")
            draft = await self._store.newsletters.create(Newsletter(0, account_id, f"n{number}", letter=encode_source(source), list_id=made.id), now)
            await NewsletterDesk(self._store, self._clock).send(draft, now + int(chance.uniform(1, span_s) * SECOND_US))

    def are_under_way(self) -> bool:
        """Whether one of them is not over."""
        return bool(self._witness.disk.ask(f"SELECT 1 FROM newsletter WHERE state IN {UNDER_WAY} LIMIT 1"))

    def settle_accounts(self) -> None:
        """I1 and I4 for newsletters. A newsletter that the guard has paused waits for a person."""
        conductor.PIECE = self._piece  # type: ignore[misc]
        ask, violated = self._witness.disk.ask, self._witness.violated
        for newsletter_id, state, submission_id, list_id in ask("SELECT id, state, submission_id, list_id FROM newsletter ORDER BY id"):
            if state not in ("finished", "paused"):
                violated(f"I1: newsletter {newsletter_id} is still {state}")
            doubled = ask("SELECT recipient, count(*) FROM message WHERE submission_id = ? GROUP BY 1 HAVING count(*) > 1", submission_id)
            for recipient, count in doubled:
                violated(f"I4: newsletter {newsletter_id} has {count} messages to {recipient}")
            missing = ask(
                "SELECT c.address FROM subscription s JOIN contact c ON c.id = s.contact_id WHERE s.list_id = ? AND s.is_unsubscribed = 0 "
                "AND NOT EXISTS (SELECT 1 FROM message m WHERE m.submission_id = ? AND m.address_key = c.address_key)", list_id, submission_id,
            )  # fmt: skip
            if missing and state == "finished":
                violated(f"I1: newsletter {newsletter_id} is finished and has no message to {missing}")

    async def settle_counters(self) -> None:
        """I7: what was counted while workers died is what all events together say."""
        await catch_up(self._store)
        counted = {table: self._rows(table) for table in COUNTED}
        await rebuild(self._store)
        for table in COUNTED:
            kept, anew = dict(counted[table]), dict(self._rows(table))
            for key in sorted({*kept, *anew}):
                if kept.get(key) != anew.get(key):
                    self._witness.violated(f"I7: {table} {key} is {kept.get(key)}, its events say {anew.get(key)}")

    def _rows(self, table: str) -> list[tuple[str, tuple[Any, ...]]]:
        """Each row by its key. A row of zeros says as much as none."""
        columns = self._witness.disk.ask(f"SELECT name, pk FROM pragma_table_info('{table}') ORDER BY cid")
        keys = [number for number, (_, pk) in enumerate(columns) if pk]
        rows = self._witness.disk.ask(f"SELECT * FROM {table}")
        return [(str([row[number] for number in keys]), row) for row in rows if any(row[n] for n in range(len(row)) if n not in keys)]
