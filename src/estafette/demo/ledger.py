"""The ledger: what really happened at the providers, to be compared with what the platform says. Pure."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from estafette.demo.providers import Act, provider_of
from estafette.stats.rates import Figures

BY_PEOPLE: Final = {"opened": {Act.OPEN, Act.CLICK}, "clicked": {Act.CLICK}}
BY_ANYBODY: Final = {"opened": {Act.OPEN, Act.CLICK, Act.PROXY_OPEN, Act.SCAN}, "clicked": {Act.CLICK, Act.SCAN}}
"""Whose doing makes a mail opened or clicked: scanners follow links and privacy proxies load images, people do both."""
LOADS_FOR_EVERYBODY: Final = {"apple"}
"""Behind these proxies a reader who opens looks like the machine: nobody outside can tell, and a truthful platform does not count it."""


@dataclass(slots=True)
class Ledger:
    """Facts about mails by (recipient, mail): the latest answer, and what followed."""

    answers: dict[tuple[str, str], str] = field(default_factory=dict)  # the last reply to it
    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)  # how often it was taken in
    acts: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def answered(self, recipient: str, mail_id: str, reply: str) -> None:
        """A provider answered for a mail."""
        self.answers[recipient, mail_id] = reply
        if reply.startswith("2"):
            self.deliveries[recipient, mail_id] += 1

    def acted(self, recipient: str, mail_id: str, act: str) -> None:
        """Something followed, and reached the platform."""
        self.acts.setdefault((recipient, mail_id), set()).add(act)

    def summary(self) -> dict[str, dict[str, int]]:
        """Counts per provider: delivered, hard, temporary, copies, and one per act."""
        found: dict[str, Counter[str]] = {}
        for (recipient, mail_id), reply in self.answers.items():
            counts = found.setdefault(provider_of(recipient.rpartition("@")[2]).name, Counter())
            counts[{"2": "delivered", "5": "hard"}.get(reply[:1], "temporary")] += 1
            counts["copies"] += max(0, self.deliveries[recipient, mail_id] - 1)
            for act in self.acts.get((recipient, mail_id), ()):
                counts[act] += 1
        return {name: dict(counts) for name, counts in found.items()}

    def expected(self, handed: Mapping[str, int], *, without_machines: bool = False) -> dict[str, Figures]:
        """What a truthful platform says when nothing is under way any more, per provider. `handed` counts what it took per recipient: mail that never
        came to a provider although it is there was blocked."""
        readers = BY_PEOPLE if without_machines else BY_ANYBODY
        found: dict[str, Counter[str]] = {}
        seen: Counter[str] = Counter()
        for (recipient, mail_id), reply in self.answers.items():
            counts = found.setdefault(provider_of(recipient.rpartition("@")[2]).name, Counter())
            acts = self.acts.get((recipient, mail_id), set())
            who = provider_of(recipient.rpartition("@")[2])
            if without_machines and who.proxy in LOADS_FOR_EVERYBODY:
                acts = acts - {Act.OPEN}
            seen[recipient] += 1
            counts["spam"] += Act.COMPLAINT in acts
            if not reply.startswith("2"):
                counts["hard_errors" if reply.startswith("5") else "exhausted"] += 1
            elif Act.LATE_BOUNCE in acts:
                counts["hard_errors"] += 1
            else:
                counts["delivered"] += 1
                counts["unsubscribed"] += Act.UNSUBSCRIBE in acts
                for mark, by in readers.items():
                    counts[mark] += bool(acts & by)
        for recipient, count in handed.items():
            who = provider_of(recipient.rpartition("@")[2])
            found.setdefault(who.name, Counter())["exhausted" if who.is_dead else "blocked"] += count - seen[recipient]
        return {name: Figures(**counts) for name, counts in found.items()}

    def to_json(self) -> str:
        """Everything, for a file."""
        mails = []
        for who, reply in self.answers.items():
            mails.append({"to": who[0], "mail": who[1], "reply": reply, "taken": self.deliveries[who], "acts": sorted(self.acts.get(who, ()))})
        return json.dumps({"summary": self.summary(), "mails": mails})
