"""A scripted set of providers, each with manners of its own, and what they see of ours: the delivered share, offences after the first, the time to drain.

A provider counts as an offence whatever goes against what it has said before: a connection beyond the cap that its 421 told of, mail faster than it asked for.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from estafette.deliver.connection import Policy
from tests.deliver.road import Road, road
from tests.world import Act, Moment
from tests.world.mx import MxServer

MAILS = 30


@dataclass
class Manners:
    """What a provider says, and how often it had to."""

    script: Callable[["Manners", MxServer, Moment], "Act | str | None"] = lambda manners, mx, moment: None
    stage: str = "mail"
    offences: int = 0
    times: list[float] = field(default_factory=list)


def capped(manners: Manners, mx: MxServer, moment: Moment) -> str | None:
    """Two connections at a time."""
    if mx.open > 2:
        manners.offences += 1
        return "421 4.7.0 too many connections from your address"
    return None


def limited(manners: Manners, mx: MxServer, moment: Moment) -> str | None:
    """At most ten mails within a second."""
    now = asyncio.get_running_loop().time()
    recent = [at for at in manners.times if now - at < 1.0]
    if len(recent) >= 10:
        manners.offences += 1
        return "450 4.7.0 rate limit exceeded, slow down"
    manners.times = [*recent, now]
    return None


def grey(manners: Manners, mx: MxServer, moment: Moment) -> str | None:
    """The first try of everybody is put off."""
    return "451 4.7.1 greylisted, try again later" if moment.number == 1 else None


def blames(manners: Manners, mx: MxServer, moment: Moment) -> str | None:
    """One of our addresses is listed somewhere."""
    if moment.client == "127.0.0.71":
        manners.offences += 1
        return "554 5.7.1 Service unavailable; client host blocked using bl.example"
    return None


PROVIDERS = {
    "capped": Manners(capped, "connect"), "limited": Manners(limited), "grey": Manners(grey, "rcpt"), "blames": Manners(blames),
    "tarpit": Manners(lambda manners, mx, moment: Act(delay_s=0.2), "body"), "broken": Manners(), "plain": Manners(),
}  # fmt: skip


@contextlib.asynccontextmanager
async def providers(r: Road) -> AsyncIterator[dict[str, tuple[Manners, MxServer]]]:
    """Each on an address of its own, beside one whose hosts are dead."""
    async with contextlib.AsyncExitStack() as stack:
        made: dict[str, tuple[Manners, MxServer]] = {}
        for number, (name, model) in enumerate(PROVIDERS.items(), 80):
            manners = Manners(model.script, model.stage)
            mx = await stack.enter_async_context(MxServer(address=f"127.0.0.{number}", port=r.mx.port, tls_fault="garbage" if name == "broken" else ""))
            mx.replies = {manners.stage: lambda moment, m=manners, s=mx: m.script(m, s, moment)}  # type: ignore[misc]
            r.dns.zone[f"{name}.example", "MX"] = [f"10 mx.{name}.example"]
            r.dns.zone[f"mx.{name}.example", "A"] = [f"127.0.0.{number}"]
            made[name] = manners, mx
        yield made


async def test_every_provider_gets_its_mail_and_is_hardly_ever_offended(tmp_path: Path) -> None:
    policy = Policy("relay.test", 3.0, 5.0, 5.0)
    sources = ("127.0.0.70", "127.0.0.71")
    async with road(tmp_path, policy=policy, sources=sources, pauses_s=(1.0, 2.0, 2.0), connections=8, idle_s=1.0) as r, providers(r) as made:
        began_s = r.clock.monotonic()
        for name in made:
            await r.put(*(f"r{n}@{name}.example" for n in range(MAILS)), deadline_s=90.0)
        (dead,) = await r.put("r@dead.example", deadline_s=90.0)
        await r.until(lambda states: sum(state == "delivered" for state in states.values()) == MAILS * len(made), 80.0)
        took_s = r.clock.monotonic() - began_s
        for name, (_, mx) in made.items():
            assert len(mx.mails) == MAILS and len({mail.recipients[0] for mail in mx.mails}) == MAILS, f"{name}: each mail once"
            assert mx.violations == [], name
        offences = {name: manners.offences for name, (manners, _) in made.items()}
        assert offences["capped"] <= 8, offences  # what was on its way when the first 421 came, for each source, and none after it
        assert offences["blames"] <= 16, offences
        assert offences["limited"] <= MAILS, offences
        assert {mail.client for mail in made["blames"][1].mails} == {"127.0.0.70"}
        assert {mail.tls for mail in made["broken"][1].mails} == {None}, "in clear, after broken TLS was met"
        tries = {m.recipient: m.attempts for m in await r.real.messages() if m.recipient.endswith("grey.example")}
        assert set(tries.values()) == {2}
        assert (await r.real.message(dead)).state.value in ("deferred", "queued", "sent", "soft_bounced")  # type: ignore[union-attr]
        assert took_s < 80.0
