"""The ledger: what really happened at the providers, to be compared with what the platform says. Pure."""

import json
from collections import Counter
from dataclasses import dataclass, field

from estafette.demo.providers import provider_of


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

    def to_json(self) -> str:
        """Everything, for a file."""
        mails = []
        for who, reply in self.answers.items():
            mails.append({"to": who[0], "mail": who[1], "reply": reply, "taken": self.deliveries[who], "acts": sorted(self.acts.get(who, ()))})
        return json.dumps({"summary": self.summary(), "mails": mails})
