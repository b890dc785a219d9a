"""A crowd of providers: what the platform says of every mail equals the providers' own ledger."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from estafette.clock import SystemClock
from estafette.demo.certificate import self_signed
from estafette.demo.internet import Internet
from estafette.demo.providers import PROVIDERS
from tests.scenarios.platform import DOMAIN, Platform, mail

MAILS = 300


@pytest.mark.timeout(180)
async def test_every_status_equals_the_ledger(tmp_path: Path, database_url: str) -> None:
    chance = random.Random(7)
    domains = [d for p in PROVIDERS for d in p.domains if not p.is_dead and not p.tarpit_s]
    people = [f"p{i}@{chance.choice(domains)}" for i in range(MAILS)] + [f"{who}@{d}" for who in ("nobody", "spam", "grey") for d in ("corp.test", "gmx.test")]
    clock = SystemClock()
    async with Internet(clock, seed=7, tls=self_signed("mx.any.test", clock), pace=0.0) as internet:
        sections = {"delivery": 'retry = ["500ms", "1s", "2s"]\ngive_up_after = "60s"\nipv6 = false'}
        async with Platform(tmp_path, database_url, dns=internet.dns, mx_port=internet.port, workers=2, sections=sections) as platform:

            def send(part: int) -> None:
                with platform.connect() as client:
                    for to in people[part::4]:
                        client.sendmail(f"news@{DOMAIN}", [to], mail(f"to {to}"))

            await asyncio.gather(*(asyncio.to_thread(send, part) for part in range(4)))
            messages = await platform.settled(len(people))
            platform.assert_nothing_is_missing()
    answers = {recipient: reply for (recipient, _), reply in internet.ledger.answers.items()}
    assert len(answers) == len(people)
    told = {m["to"]: m["state"] for m in messages}
    assert told == {to: {"2": "delivered", "5": "hard_bounced"}[reply[0]] for to, reply in answers.items()}
    assert all(count == 1 for count in internet.ledger.deliveries.values())  # no mail twice
    assert Counter(told.values())["hard_bounced"] >= 4
    assert max(internet.turned_away.values(), default=0) <= 20  # having been told 421, it keeps to fewer connections
