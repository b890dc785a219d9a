"""The benchmark: mail from a generator through each peer to a fast sink, all on this machine; `python -m bench.relay` prints a table and writes it.

One cell is a peer x size x connections x DKIM on or off. Every cell starts its peer and its sink afresh, sends some mail to warm up, and then takes the
time from the first mail offered until the sink has the last one. Rounds go through all cells, so that a change of the machine's mood meets every peer.
Only ratios within one run mean anything.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from bench.cpu import Memory, Watch
from bench.load import SIZES, Report
from bench.peers import DOMAIN, KINDS, LIFETIME_S, REPOSITORY, CannotStart, Kind, Peer, process, wait_for_line
from bench.sink import Counter, Counts

CONNECTIONS: Final = (1, 20, 100)
STALL_S: Final = 20.0  # a sink that gets nothing for so long has got all that will come
GRACE_S: Final = 30.0  # what a generator may take longer than it was told to
WARM_UP: Final = 2  # mails per connection, at least 40 together


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured."""

    kind: Kind
    size: str
    connections: int
    with_dkim: bool

    def __str__(self) -> str:
        return f"{self.size} c={self.connections} {'signed' if self.with_dkim else 'unsigned'} {self.kind.name}"


@dataclass(frozen=True, slots=True)
class Figures:
    """What came out."""

    mails_per_s: float
    cpu_s_per_1000: float
    p50_ms: float
    p99_ms: float
    peak: Memory
    faults: tuple[str, ...] = ()  # why this is not a fair figure


def measure(cell: Cell, mails: int, seconds: float) -> Figures:
    """Run one cell from start to clean-up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        counter = stack.enter_context(Counter(folder / "counts"))
        words = [sys.executable, "-m", "bench.sink", "--counter", str(folder / "counts"), "--chunking", "--lifetime-s", str(LIFETIME_S)]
        sink_port = int(wait_for_line(stack.enter_context(process(words, folder / "sink.log")), "ready", folder / "sink.log").rpartition(":")[2])
        peer = stack.enter_context(cell.kind.start(sink_port, cell.with_dkim))
        before = _warm_up(cell, peer, counter)
        watch = stack.enter_context(Watch(peer.roots))
        report = _offer(cell, peer, mails, seconds)
        after = _wait_for_sink(counter, before.mails + report.accepted, seconds)
        cpu_s = watch.used_s()
        came = after.mails - before.mails
        if not came:
            raise CannotStart(f"{cell}: no mail came through; refused: {dict(report.refused)}")
        rate = came / (after.last_at - report.began_at)
        return Figures(rate, cpu_s / came * 1000, report.p50_ms, report.p99_ms, watch.peak, _faults(cell, report, before, after))


def _warm_up(cell: Cell, peer: Peer, counter: Counter) -> Counts:
    report = _offer(cell, peer, max(40, WARM_UP * cell.connections), 30.0)
    return _wait_for_sink(counter, report.accepted, 30.0)


def _offer(cell: Cell, peer: Peer, mails: int, seconds: float) -> Report:
    """Let the generator do its work in its own process."""
    words = ["--port", str(peer.port), "--mails", str(mails), "--connections", str(cell.connections), "--size", cell.size, "--sender", peer.sender,
             "--recipient", f"b@{DOMAIN}", "--login", peer.login, "--seconds", str(seconds)]  # fmt: skip
    try:
        done = subprocess.run([sys.executable, "-m", "bench.load", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=seconds + 60 + GRACE_S)
    except subprocess.TimeoutExpired:
        raise CannotStart(f"{cell}: the generator did not come to an end") from None
    if done.returncode != 0:
        raise CannotStart(f"{cell}: {done.stderr[-500:]}")
    return Report(**json.loads(done.stdout))


def _wait_for_sink(counter: Counter, expected: int, seconds: float) -> Counts:
    """The counts as soon as all mails are there, or when nothing has come for `STALL_S`, or after ten times as long as was offered."""
    until = time.monotonic() + 10 * seconds
    counts, changed_at = counter.read(), time.monotonic()
    while counts.mails < expected and time.monotonic() < min(until, changed_at + STALL_S):
        time.sleep(0.02)
        now = counter.read()
        if now.mails != counts.mails:
            changed_at = time.monotonic()
        counts = now
    return counts


def _faults(cell: Cell, report: Report, before: Counts, after: Counts) -> tuple[str, ...]:
    came, signed = after.mails - before.mails, after.signed - before.signed
    found = [f"{sum(report.refused.values())} refused, most often: {max(report.refused, key=lambda reply: report.refused[reply])}"] if report.refused else []
    if came != report.accepted:
        found.append(f"{report.accepted} accepted, {came} came")
    if signed != (came if cell.with_dkim else 0):
        found.append(f"{signed} of {came} signed")
    return tuple(found)


def median_of(runs: Sequence[Figures]) -> Figures:
    """Each figure's median, the highest peak of memory, all faults."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs))

    peak = Memory(max(run.peak.rss_bytes for run in runs), max(run.peak.pss_bytes for run in runs))
    faults = tuple(dict.fromkeys(fault for run in runs for fault in run.faults))
    return Figures(middle("mails_per_s"), middle("cpu_s_per_1000"), middle("p50_ms"), middle("p99_ms"), peak, faults)


def run_all(cells: Sequence[Cell], rounds: int, mails: int, seconds: float, minutes: float) -> tuple[dict[Cell, Figures], dict[str, str]]:
    """(figures by cell, peers that could not be measured with the reason). No cell is begun after `minutes`."""
    until = time.monotonic() + minutes * 60
    runs: dict[Cell, list[Figures]] = {}
    missing: dict[str, str] = {}
    for number in range(rounds):
        for cell in cells:
            if cell.kind.name in missing:
                continue
            if time.monotonic() > until:
                missing["the rest"] = f"the time of {minutes:g} minutes was over in round {number + 1} of {rounds} at: {cell}"
                return {cell: median_of(found) for cell, found in runs.items()}, missing
            try:
                figures = measure(cell, mails, seconds)
            except (CannotStart, RuntimeError, OSError) as error:
                missing[cell.kind.name] = str(error)
                print(f"{cell}: {error}", file=sys.stderr, flush=True)
                continue
            runs.setdefault(cell, []).append(figures)
            print(f"round {number + 1}: {cell}: {figures.mails_per_s:.0f}/s, {figures.cpu_s_per_1000:.2f} CPU s per 1000, p99 {figures.p99_ms:.0f} ms"
                  f"{''.join(f'; {fault}' for fault in figures.faults)}", file=sys.stderr, flush=True)  # fmt: skip
    return {cell: median_of(found) for cell, found in runs.items()}, missing


def table(results: dict[Cell, Figures], missing: dict[str, str], rounds: int) -> str:
    """The page, in Markdown."""
    notes: list[str] = []
    lines = [
        "# Benchmarks", "",
        "<!-- Made by `python -m bench.relay` (`make bench`). -->", "",
        f"{date.today().isoformat()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"Postfix {_version('postconf', '-h', 'mail_version')}; " + ("one round." if rounds == 1 else f"medians of {rounds} rounds."), "",
        "A generator offers mail over SMTP on *c* connections, the peer accepts it durably and relays it to a sink; time stops when the sink has all of it.",
        "Generator, sink and peer share the machine: read ratios within this page, not absolutes. m10 is a text of 10 kB, m50 an HTML newsletter of 50 kB",
        "with 40 links. CPU is user + system of all processes of the peer. p50 and p99 are of the answer to the final dot. Peak memory is the sum over its",
        "processes, first with shared pages counted once (PSS), then once per process (RSS). Ratios are mails per second against the *faster* of the Postfix",
        "(unsigned) and of the Postfix + OpenDKIM variants (RSA-2048) in the same run, size and number of connections.", "",
    ]  # fmt: skip
    for size in SIZES:
        for with_dkim in (False, True):
            chosen = [cell for cell in results if cell.size == size and cell.with_dkim == with_dkim]
            if not chosen:
                continue
            lines += [f"## {size}, {'signed' if with_dkim else 'unsigned'}", "",
                      "| peer | c | mails/s | × Postfix | × Postfix + OpenDKIM | CPU s per 1000 | p50 ms | p99 ms | peak MB, PSS (RSS) |",
                      "|---|--:|--:|--:|--:|--:|--:|--:|--:|"]  # fmt: skip
            for cell in sorted(chosen, key=lambda cell: (cell.connections, KINDS.index(cell.kind))):
                figures = results[cell]
                mark = ""
                if figures.faults:
                    notes.append(f"{len(notes) + 1}. {cell}: {'; '.join(figures.faults)}")
                    mark = f" ({len(notes)})"
                lines.append(
                    f"| {cell.kind.name}{mark} | {cell.connections} | {figures.mails_per_s:.0f} | {_ratio(results, cell, 'postfix')} "
                    f"| {_ratio(results, cell, 'opendkim')} | {figures.cpu_s_per_1000:.2f} | {figures.p50_ms:.1f} | {figures.p99_ms:.1f} "
                    f"| {figures.peak.pss_bytes / 1e6:.0f} ({figures.peak.rss_bytes / 1e6:.0f}) |"
                )
            lines.append("")
    lines += [*(["Not fair figures:", "", *notes, ""] if notes else [])]
    lines += [*(["Not measured:", "", *(f"- {name}: {' '.join(why.split())[:300]}" for name, why in missing.items()), ""] if missing else [])]
    return "\n".join(lines)


def _ratio(results: dict[Cell, Figures], cell: Cell, family: str) -> str:
    """Against the fastest of a family; who does not sign is not compared with those who do."""
    if family == "opendkim" and not cell.with_dkim:
        return "–"
    rivals = [figures.mails_per_s for other, figures in results.items()
              if other.kind.family == family and (other.size, other.connections) == (cell.size, cell.connections)]  # fmt: skip
    return f"{results[cell].mails_per_s / max(rivals):.2f}" if rivals else "–"


def _version(*words: str) -> str:
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=10).stdout.strip() or "?"
    except OSError:
        return "(not installed)"


def cells_of(sizes: Sequence[str], connections: Sequence[int], names: Sequence[str], dkim: Sequence[bool]) -> list[Cell]:
    """The matrix, in the order of measurement: rivals in a cell follow each other."""
    return [
        Cell(kind, size, count, with_dkim)
        for size in sizes for count in connections for with_dkim in dkim for kind in KINDS
        if with_dkim in kind.signs and (not names or any(name.lower() in kind.name.lower() for name in names))
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="m10 on 20 connections, one round, a minute or two; writes no file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=4000, help="most mails of a cell")
    parser.add_argument("--seconds", type=float, default=10.0, help="longest time that mail is offered in a cell")
    parser.add_argument("--minutes", type=float, default=60.0, help="no cell is begun after so long")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--connections", nargs="+", type=int, default=list(CONNECTIONS))
    parser.add_argument("--dkim", choices=("on", "off", "both"), default="both")
    parser.add_argument("--peers", nargs="+", default=[], help="parts of names; default all")
    parser.add_argument("--output", type=Path, help="default docs/benchmarks/relay.md when the whole matrix is measured")
    given = parser.parse_args()
    is_whole = not given.quick and not given.peers and given.dkim == "both" and set(given.sizes) == set(SIZES) and set(given.connections) == set(CONNECTIONS)
    output = given.output or (REPOSITORY / "docs" / "benchmarks" / "relay.md" if is_whole else None)
    if given.quick:
        given.rounds, given.sizes, given.connections, given.mails, given.seconds = 1, ["m10"], [20], min(given.mails, 2000), min(given.seconds, 10.0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is ended on the way out
    dkim = {"on": (True,), "off": (False,), "both": (False, True)}[given.dkim]
    results, missing = run_all(cells_of(given.sizes, given.connections, given.peers, dkim), given.rounds, given.mails, given.seconds, given.minutes)
    page = table(results, missing, given.rounds)
    print(page)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page + ("" if page.endswith("\n") else "\n"))
    return 0 if results and not missing else 1


if __name__ == "__main__":
    sys.exit(main())
