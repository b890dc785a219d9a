"""One simulated life of the platform: a `Settings` (drawn from a seed, or given) becomes a world, runs, and leaves a `Report`."""

import asyncio
import gc
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from estafette.accept import guarding, reports
from estafette.api.webhooks import telling
from estafette.app import retention
from estafette.clock import SECOND_US
from estafette.deliver import engine, sweeping, warming
from estafette.feedback import handing
from estafette.model import BlockCause, EventKind, Mark, Record
from estafette.newsletters import conductor, jobs
from estafette.stats import folder, guard
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.seam import StoreFault
from tests.simulation.invariants import Witness
from tests.simulation.letters import Letters
from tests.simulation.loop import Process, SimulatedClock, SimulatedLoop
from tests.simulation.network import Faults, Network
from tests.simulation.providers import Manners, Provider, SimulatedDns, open_for_business, reach_of, weather
from tests.simulation.reporters import Habits, Reporters
from tests.simulation.senders import Order, Sender
from tests.simulation.store import Disk, SimulatedDriver, StoreFaults
from tests.simulation.workers import Plan, Supervisor, found

ACCOUNTS: Final = ("shop", "bank")
KINDS: Final = ("good", "good", "good", "good", "nobody", "full", "grey", "spam")
LOOK_EVERY_S: Final = 120.0
FOLLOWED: Final = 0.2
"""Share of lives in which what follows the mail (app/beside.py) is at work too."""
PACES: Final = (
    (engine, "POLL_S", 1), (sweeping, "EVERY_S", 1), (sweeping, "REPORT_S", 4), (warming, "EVERY_S", 60), (reports, "LOOK_S", 8),
    (folder, "POLL_S", 4), (guard, "POLL_S", 8), (guarding, "POLL_S", 8), (conductor, "POLL_S", 2), (jobs, "POLL_S", 8), (telling, "POLL_S", 8),
    (handing, "POLL_S", 8), (retention, "EVERY_S", 60),
)  # fmt: skip
"""How often what looks again and again does so here, in `Settings.poll_s`: nothing else in the platform is slowed down."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that makes a life hard. The defaults are a calm one."""

    seed: int = 1
    orders: int = 20
    span_s: float = 600.0  # in which the orders come
    providers: int = 2
    poll_s: float = 1.0  # of the engine
    plan: Plan = field(default_factory=Plan)
    network: Faults = field(default_factory=Faults)
    store: StoreFaults = field(default_factory=StoreFaults)
    manners: Manners = field(default_factory=Manners)
    habits: Habits = field(default_factory=Habits)
    dns: float = 0.0  # share of questions that fail
    persistence: float = 1.0  # of customers that were not answered
    dawdles: float = 0.0  # customers that pause inside DATA
    kills: int = 0
    terms: int = 0
    stops: int = 0  # SIGSTOP
    power_cuts: int = 0
    outages: int = 0  # of the database
    fulls: int = 0  # disk full
    operators: int = 0  # blocks, lifts, immediate retries
    jumps: int = 0  # of the wall clock
    readers: int = 0  # times that somebody opens, clicks, or a customer takes a mail back
    newsletters: int = 0  # only where `plan.follows`


@dataclass(slots=True)
class Report:
    """What a life came to."""

    settings: Settings
    violations: list[str]
    trace: int
    simulated_s: float
    steps: int
    messages: int
    copies: int
    states: dict[str, int]
    witness: Witness


class _Ear(logging.Handler):
    """Hears the faults that the platform logs: those of its own making are bugs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not isinstance(error, StoreFault) and type(error).__name__ != "LeaseLost":
            where = getattr(record, "fields", {}).get("where", "")
            self.heard.append(f"I0: a fault in {where}: {error!r}")


class World:
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        self.settings = s = settings
        self.loop = SimulatedLoop(s.seed)
        self.shift_s = [0.0]
        self.chance = random.Random(f"{s.seed}/world")
        self.network = self.loop.network = Network(self.loop, s.network)
        self.providers = [
            Provider(f"p{i}.example", {f"mx{n}.p{i}.example": f"192.0.2.{10 * i + n + 1}" for n in range(1 + i % 2)}, s.manners,
                     random.Random(f"{s.seed}/provider {i}"))
            for i in range(s.providers)
        ]  # fmt: skip
        self.network.reach = reach_of(self.providers, random.Random(f"{s.seed}/reach"))
        self.network.opening = self._opening
        self.dns = SimulatedDns(self.loop, self.providers, s.dns)
        self.witness = Witness(self.loop, self.shift_s, {}, not (s.store.fault or s.store.unknown or s.outages or s.fulls))
        self.witness.reporters = Reporters(self.loop, s.habits)
        self.disk = self.witness.disk = Disk(self.loop, s.store, self.witness.violated)
        self.disk.written = self.witness.written
        self.supervisor = Supervisor(self.loop, self.network, self.disk, self.dns, s.plan, self.shift_s)
        self.supervisor.of_worker = self.witness.of_worker
        self.observer = Process(self.loop, "observer")
        self.clock = SimulatedClock(self.observer, self.shift_s)
        self.desk = Database(SimulatedDriver(self.disk, self.observer), StatusPolicy())
        self.accounts: dict[str, int] = {}
        self.letters = Letters(self.desk, self.clock, self.witness, random.Random(f"{s.seed}/letters"))
        self.orders = self._draw_orders()
        for provider in self.providers:
            self.observer.context.copy().run(open_for_business, self.network, provider, self.witness)

    def _opening(self, process: Process, host: str) -> None:
        provider = next((p for p in self.providers if host in p.hosts.values()), None)
        if provider is not None:
            self.witness.connecting(process, provider.domain, self.network.open_to(provider.hosts.values()), self.settings.plan.connections)

    def _draw_orders(self) -> list[Order]:
        chance, orders = self.chance, []
        domains = [p.domain for p in self.providers]
        for number in range(self.settings.orders):
            recipients = []
            for _ in range(chance.choice([1, 1, 1, 2, 5])):
                domain = chance.choice(domains) if chance.random() < 0.95 else chance.choice(["null.example", "missing.example"])
                recipients.append(f"{chance.choice(KINDS)}-{chance.randrange(40)}@{domain}")
            key = f"key {number}" if chance.random() < 0.5 else ""
            octets = int(2 ** chance.uniform(6, 14))
            orders.append(Order(number, chance.choice(ACCOUNTS), chance.uniform(0, self.settings.span_s), tuple(dict.fromkeys(recipients)), key, octets,
                                chance.choice([0, 1, 2, 2, 3])))  # fmt: skip
        return orders

    # -- life

    def run(self) -> Report:
        """Live; never raises for what the platform did."""
        ear, before = _Ear(), [(module, name, getattr(module, name)) for module, name, _ in PACES]
        log = logging.getLogger("estafette.mail")
        level, handlers, propagates = log.level, list(log.handlers), log.propagate
        log.handlers, log.propagate = [ear], False
        log.setLevel(logging.ERROR)
        for module, name, polls in PACES:  # a day has 86,400 seconds
            setattr(module, name, polls * self.settings.poll_s)
        gc.disable()
        try:
            self.loop.run_until_complete(self.observer.start(self._life()))
        except Exception as fault:
            self.witness.violated(f"I0: the world ended: {fault!r}")
        finally:
            for module, name, value in before:
                setattr(module, name, value)
            log.handlers, log.propagate = handlers, propagates
            log.setLevel(level)
            self.loop.clear_away()
            gc.enable()
        w = self.witness
        w.violations += [*ear.heard, *self.supervisor.crashes, *(f"I0: {error}" for error in self.loop.errors)]
        states = dict(self.disk.ask("SELECT state, count(*) FROM message GROUP BY state ORDER BY state"))
        messages, copies = sum(states.values()), sum(w.copies.values())
        return Report(self.settings, w.violations, self.loop.trace, self.loop.now_s, self.loop.steps, messages, copies, states, w)

    async def open_up(self) -> None:
        """Make the installation, in peace, and start the workers."""
        faults, self.disk.faults = self.disk.faults, StoreFaults()
        self.accounts = await found(self.disk, self.observer, list(ACCOUNTS))
        await self.letters.write(self.settings.newsletters, self.accounts, [p.domain for p in self.providers], self.settings.span_s)
        self.disk.faults = faults
        self.supervisor.start()

    async def bring(self, *orders: Order) -> None:
        """Orders beside those that were drawn; returns when they are answered."""
        self.orders += orders
        self.witness.bodies |= {o.subject.encode(): o.body() for o in orders}
        await Sender(self.network, "extra", list(orders), 1.0, 0.0).run()

    async def until_empty(self) -> None:
        """Wait until nothing is queued."""
        while self.disk.ask("SELECT 1 FROM queue LIMIT 1"):  # noqa: ASYNC110 - nobody would set an event
            await asyncio.sleep(10)

    def state_of(self, order: Order) -> list[str]:
        """The states of the messages of an order."""
        sql = "SELECT m.state FROM message m JOIN submission s ON s.id = m.submission_id WHERE s.subject = ?"
        return [state for (state,) in self.disk.ask(sql, order.subject)]

    async def _life(self) -> None:
        """The life of a seed. Tests that know what they want have their own."""
        s, plan = self.settings, self.settings.plan
        self.witness.bodies = {o.subject.encode(): o.body() for o in self.orders}
        await self.open_up()
        for provider in self.providers:
            self.observer.start(weather(provider, plan.give_up_s / 10))
        senders = [Sender(self.network, name, [o for o in self.orders if o.account == name], s.persistence, s.dawdles) for name in ACCOUNTS]
        bringing = asyncio.gather(*(self.observer.start(sender.run()) for sender in senders))
        chaos = self.observer.start(self._chaos())
        await bringing
        await chaos
        slack_s = 3 * s.poll_s + 2 * plan.lease_s + plan.connect_s + 3 * plan.command_s + plan.data_s + 60.0
        slack_s += self.witness.jumped_s
        end_s = self.loop.now_s + plan.give_up_s + slack_s
        while self.loop.now_s < end_s and (self.disk.ask("SELECT 1 FROM queue LIMIT 1") or self.letters.are_under_way()):
            await asyncio.sleep(LOOK_EVERY_S)
            self.witness.look()
            self.witness.overdue(plan.give_up_s + self.witness.jumped_s if self.loop.now_s < end_s else slack_s)
        self.witness.look()
        self.witness.overdue(slack_s)
        if self.witness.reporters.under_way:
            await asyncio.wait(self.witness.reporters.under_way)
        await self.supervisor.stop()
        self.witness.look()
        for (message_id,) in self.disk.ask("SELECT message_id FROM queue WHERE owner <> 0"):
            self.witness.violated("R10: held by nobody after an orderly stop", message_id)
        self.witness.settle_accounts(self.orders)
        self.letters.settle_accounts()
        if plan.follows:
            self.disk.faults = StoreFaults()
            await self.letters.settle_counters()

    async def _chaos(self) -> None:
        """Deaths, outages and people, at random times."""
        s, chance = self.settings, self.chance
        until_s = s.span_s + s.plan.give_up_s * 0.5
        acts = [("kill", s.kills), ("term", s.terms), ("stop", s.stops), ("power", s.power_cuts), ("outage", s.outages), ("full", s.fulls),
                ("people", s.operators), ("jump", s.jumps), ("reader", s.readers)]  # fmt: skip
        times = sorted((chance.uniform(1.0, until_s), act) for act, count in acts for _ in range(count))
        tasks = []
        for at_s, act in times:
            await asyncio.sleep(max(0.0, at_s - self.loop.now_s))
            self.witness.look()
            tasks.append(self.observer.start(self._act(act)))
        for task in tasks:
            await task

    async def _act(self, act: str) -> None:
        chance, supervisor, disk = self.chance, self.supervisor, self.disk
        index = chance.randrange(self.settings.plan.workers)
        body = supervisor.bodies.get(index)
        self.witness.tell(0, f"{act} (worker {index})")
        self.loop.note(act)
        if act == "kill":
            supervisor.kill(index)
        elif act == "term" and body is not None:
            body.stopping.set()
        elif act == "stop" and body is not None:
            body.process.stop()
            await asyncio.sleep(chance.choice([1.0, 20.0, 3.0 * self.settings.plan.lease_s]))
            body.process.go_on()
        elif act == "power":
            self.witness.power_cut(supervisor.power_cut())
            self.witness.look()
        elif act == "outage":
            disk.is_gone = True
            await asyncio.sleep(chance.choice([1.0, 10.0, 60.0, 2.0 * self.settings.plan.lease_s]))
            disk.is_gone = False
        elif act == "full":
            disk.is_full = True
            await asyncio.sleep(chance.uniform(1.0, 60.0))
            disk.is_full = False
        elif act == "people":
            await self._interfere()
        elif act == "reader":
            await self._read_or_cancel()
        elif act == "jump":
            by_s = chance.choice([-86_400.0, -3600.0, 3600.0, 86_400.0])
            self.witness.tell(0, f"the wall clock jumps by {by_s:.0f} s")
            self.witness.jumped_s += abs(by_s)
            self.shift_s[0] += by_s

    async def _interfere(self) -> None:
        """A person at the desk."""
        chance, now = self.chance, self.clock.now_us()
        account, address = self.accounts[chance.choice(ACCOUNTS)], f"good-{chance.randrange(40)}@{chance.choice(self.providers).domain}"
        try:
            what = chance.randrange(4)
            if what == 0:
                await self.desk.add_block(account, address, BlockCause.MANUAL, now, None)
            elif what == 1:
                await self.desk.lift_blocks(account, address, now, "asked")
            elif what == 2:
                await self.desk.retry_now(now)
            else:  # a click on the unsubscribe link of any mail that arrived
                arrived = self.disk.ask("SELECT id FROM message WHERE state = 'delivered' ORDER BY id")
                if arrived:
                    one = Record(chance.choice(arrived)[0], EventKind.UNSUBSCRIBED, now, marks=Mark.UNSUBSCRIBED, block=BlockCause.UNSUBSCRIBE, is_once=True)
                    await self.desk.record_many([one])
        except StoreFault:
            pass  # told so, and tries no more


    async def _read_or_cancel(self) -> None:
        """Somebody opens a mail that arrived or clicks in it; or who sent one takes it back before it was tried."""
        now, what = self.clock.now_us(), self.chance.choice([EventKind.OPENED, EventKind.CLICKED, None])
        try:
            if what is None:
                waiting = self.disk.ask("SELECT message_id, account_id FROM queue WHERE attempts = 0 ORDER BY message_id")
                if waiting:
                    message_id, account_id = self.chance.choice(waiting)
                    if await self.desk.cancel(message_id, account_id, now, "cancelled by the account"):
                        self.witness.tell(message_id, "is cancelled")
            elif arrived := self.disk.ask("SELECT id, account_id FROM message WHERE state = 'delivered' ORDER BY id"):
                message_id, account_id = self.chance.choice(arrived)
                marks = Mark.OPENED if what is EventKind.OPENED else Mark.OPENED | Mark.CLICKED
                await self.desk.record_many([Record(message_id, what, now, marks=int(marks), account_id=account_id, is_patient=True)])
        except StoreFault:
            pass  # the page that they wanted comes all the same


def draw(seed: int) -> Settings:
    """The settings of a seed: every kind of fault is there or not, and how much of it is drawn too."""
    c = random.Random(f"settings {seed}")

    def share(low: float, high: float, chance: float = 0.5) -> float:
        return round(low * (high / low) ** c.random(), 5) if c.random() < chance else 0.0

    def count(most: int, chance: float = 0.4) -> int:
        return c.randint(1, most) if c.random() < chance else 0

    scale = c.choice([0.2, 1.0, 6.0, 36.0])  # a give-up time of 24 minutes, 2 hours, 12 hours, 3 days
    give_up_s = 7200.0 * scale
    plan = Plan(
        workers=c.randint(1, 3), give_up_s=give_up_s, retry_s=tuple(round(give_up_s * share, 1) for share in (0.01, 0.03, 0.1, 0.2)),
        lease_s=max(10.0, round(give_up_s / 25)), connections=c.choice([1, 2, 5, 20]), max_connections=c.choice([2, 5, 500]),
        messages_per_connection=c.choice([1, 3, 100]), idle_s=c.choice([0.0, 1.0, 5.0, 60.0]), connect_s=c.choice([5.0, 30.0]),
        command_s=c.choice([10.0, 60.0, 300.0]), data_s=c.choice([20.0, 600.0]), bodies_bytes=c.choice([20_000, 16_000_000]),
        drain_s=c.choice([0.0, 5.0, 30.0]), tells_of_the_dead=c.random() < 0.7,
    )  # fmt: skip
    piped = [("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "CHUNKING"), ("PIPELINING", "SIZE 1000000", "STARTTLS"), (), ("STARTTLS", "CHUNKING")]
    manners = Manners(
        share(0.01, 0.4), share(0.005, 0.1), share(0.01, 0.3), share(0.005, 0.2), share(0.005, 0.1), share(0.01, 0.2), c.choice([2.0, 20.0, 400.0]),
        share(0.003, 0.03, 0.2), share(0.05, 0.6, 0.3), share(0.05, 0.5), c.choice(piped),
    )  # fmt: skip
    drawn = Settings(
        seed, orders=c.choice([4, 12, 32]), span_s=round(c.choice([0.01, 0.1, 0.5]) * give_up_s, 1), providers=c.randint(1, 4),
        poll_s=round(max(1.0, give_up_s / 150), 1), plan=plan,
        network=Faults(c.choice([0.001, 0.02, 0.5]), share(0.05, 0.9), share(0.005, 0.1), share(0.003, 0.05, 0.3)),
        store=StoreFaults(c.choice([0.001, 0.01, 0.3]), share(0.001, 0.1), share(0.001, 0.05, 0.3)), manners=manners,
        habits=Habits(share(0.01, 0.2, 0.4), share(0.01, 0.2, 0.4), share(0.01, 0.2, 0.3), round(give_up_s * c.choice([0.0, 0.01, 0.3]), 1)),
        dns=share(0.01, 0.3, 0.4), persistence=c.choice([0.0, 0.5, 1.0]), dawdles=share(0.05, 0.5, 0.3),
        kills=count(8), terms=count(4), stops=count(3, 0.25), power_cuts=count(3, 0.3), outages=count(3, 0.3), fulls=count(2, 0.2),
        operators=count(6), jumps=count(2, 0.15), readers=count(12),
    )  # fmt: skip
    follows = c.random() < FOLLOWED  # drawn last, so that older seeds stay what they were
    return replace(drawn, plan=replace(plan, follows=follows), newsletters=count(3, 0.7) if follows else 0)


def live(settings: Settings) -> Report:
    """One life, from a clean slate."""
    return World(settings).run()


def calmer(settings: Settings) -> Sequence[Settings]:
    """The same life with one trouble less, one variant per trouble: what shrinking tries."""
    calm, plain = Settings(), []
    s = settings
    for orders in (1, s.orders // 4, s.orders // 2):
        if 0 < orders < s.orders:
            plain.append(replace(s, orders=orders))
    for name in ("kills", "terms", "stops", "power_cuts", "outages", "fulls", "operators", "jumps", "readers", "newsletters", "dns", "dawdles"):
        value = getattr(s, name)
        if value:
            plain.append(replace(s, **{name: type(value)(0)}))
            if value > 1:
                plain.append(replace(s, **{name: value // 2 if isinstance(value, int) else 0.0}))
    for part in ("network", "store", "manners", "habits", "plan"):
        mine, theirs = getattr(s, part), getattr(calm, part)
        names = [f for f in type(mine).__dataclass_fields__ if getattr(mine, f) != getattr(theirs, f)]
        plain += [replace(s, **{part: replace(mine, **{f: getattr(theirs, f)})}) for f in names if f not in ("give_up_s", "retry_s", "lease_s")]
    if s.providers > 1:
        plain.append(replace(s, providers=1))
    return plain


__all__ = ["SECOND_US", "Report", "Settings", "World", "calmer", "draw", "live"]
