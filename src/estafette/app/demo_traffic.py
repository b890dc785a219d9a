"""The demo's sending customer as a process of its own: two issues of a newsletter, a trickle of transactional mail, and the figures in the terminal."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from estafette.clock import Clock, SystemClock
from estafette.config import Config
from estafette.demo.crowd import subscribers
from estafette.demo.customer import Customer
from estafette.stats.rates import Figures, figures
from estafette.status.blocking import StatusPolicy
from estafette.store.opening import open_store
from estafette.store.seam import Store

SUBSCRIBERS: Final = 400
TWICE: Final = 12
"""So many subscribers stand in the list twice: the second copy is blocked as a duplicate."""
SECOND_ISSUE_AFTER_S: Final = 40.0
ERRAND_EVERY_S: Final = 2.0
ERRANDS: Final = 3600
"""The trickle ends after two hours."""
LOOK_EVERY_S: Final = 1.0
COLUMNS: Final = ("queued", "sent,\nno answer yet", "delivered", "temporary\nerror", "permanent\nerror", "blocked",
                  "opened", "clicked", "unsub-\nscribed", "spam")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is told once the listeners are known."""

    http: str
    smtp: str
    key: str
    secret: str
    author: str
    first_issue: int
    seed: int = 1


def start(config: Config) -> tuple[int, int]:
    """(process id, descriptor to write the order to). Forks, so it is called before anything else runs."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's; it ends us first
        with contextlib.suppress(Exception), os.fdopen(reading) as pipe:
            line = pipe.readline()
            if line:
                asyncio.run(_live(config, Order(**json.loads(line))))
        os._exit(0)
    os.close(reading)
    return pid, writing


def give(descriptor: int, order: Order) -> None:
    """Hand the order over."""
    with os.fdopen(descriptor, "w") as pipe:
        pipe.write(json.dumps(asdict(order)) + "\n")


async def _live(config: Config, order: Order) -> None:
    clock = SystemClock()
    policy = StatusPolicy(config.blocking.hard_bounce_days, config.blocking.soft_bounce_days)
    store = await open_store(config.database.url, policy, clock)
    customer = Customer(order.http, order.smtp, order.key, order.secret, order.author, order.seed)
    assert config.database.sqlite_path is not None
    try:
        async with asyncio.TaskGroup() as group:
            show = _Show(order, Console())
            group.create_task(_newsletter(customer, order, show))
            group.create_task(_trickle(customer, clock, order))
            group.create_task(show.run(store, customer, config.database.sqlite_path.with_suffix(".demo-handed.json")))
    finally:
        await store.close()


async def _newsletter(customer: Customer, order: Order, show: "_Show") -> None:
    people = subscribers(order.seed, SUBSCRIBERS)
    await _issue(customer, order.first_issue, [*people, *people[-TWICE:]], show)
    await asyncio.sleep(SECOND_ISSUE_AFTER_S)
    await _issue(customer, order.first_issue + 1, people, show)


async def _issue(customer: Customer, number: int, people: Sequence[str], show: "_Show") -> None:
    row = show.progress.add_task(f"newsletter {number}", total=len(people))
    await customer.campaign(number, people, lambda count: show.progress.advance(row, count))


async def _trickle(customer: Customer, clock: Clock, order: Order) -> None:
    people = subscribers(order.seed + 1, SUBSCRIBERS)
    begin = order.first_issue * ERRANDS
    for number in range(begin, begin + ERRANDS):
        await customer.errands([number], people)
        await asyncio.sleep(ERRAND_EVERY_S * (0.5 + clock.random()))


class _Show:
    """The figures in the terminal: a live table where there is a terminal, otherwise one line when an issue is through."""

    def __init__(self, order: Order, console: Console) -> None:
        self.progress = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("handed over"), console=console)
        self._console = console
        self._order = order
        self._told: set[TaskID] = set()

    async def run(self, store: Store, customer: Customer, file: Path) -> None:
        """Until the process ends. `file` keeps what was handed over, for whoever wants to compare."""
        is_terminal = self._console.is_terminal
        with Live(console=self._console, auto_refresh=False, transient=True) if is_terminal else contextlib.nullcontext() as live:
            while True:
                counts = figures(await store.counts(None, None, None), click_implies_open=True)
                if live is not None:
                    live.update(self._table(counts), refresh=True)
                for task in self.progress.tasks:
                    if live is None and task.finished and task.id not in self._told:
                        self._told.add(task.id)
                        print(f"{task.description}: {int(task.completed)} mails handed over", flush=True)
                _keep(file, customer)
                await asyncio.sleep(LOOK_EVERY_S)

    def _table(self, f: Figures) -> Table:
        outer = Table.grid(padding=(0, 0))
        table = Table(title="What became of the mail", title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
        for name in COLUMNS:
            table.add_column(name, justify="right")
        numbers = (f.queued, f.in_flight, f.delivered, f.soft_errors, f.hard_errors, f.blocked, f.opened, f.clicked, f.unsubscribed, f.spam)
        table.add_row(*map(str, numbers))
        outer.add_row(table)
        outer.add_row(self.progress)
        return outer


def _keep(file: Path, customer: Customer) -> None:
    file.write_text(json.dumps({"handed": customer.handed, "refused": customer.refused[-20:]}))
