"""Runs seeds, shrinks what fails to a small life, tells its story, and keeps it as a regression case.

    python -m tests.simulation.run --seeds 1000         # what `make simulate SEEDS=1000` does
    python -m tests.simulation.run --only 4711          # one seed, with its story

Kept cases are in `regressions.json`; a case with "known" is a bug that is not fixed yet, and its test is expected to fail.
"""

import argparse
import json
import multiprocessing
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tests.simulation.world import Report, Settings, calmer, draw, live

KEPT = Path(__file__).parent / "regressions.json"
SHRINK_LIVES = 150
STORY_LINES = 60


def kind_of(violation: str) -> str:
    """What a violation is about, its figures left out."""
    return re.sub(r"(?<!^I)[\d.]+|\{.*?\}|worker-\S+", "#", violation.partition(" (")[0])[:60]


def shrink(report: Report, lives: int = SHRINK_LIVES) -> Report:
    """A calmer life in which the same invariant is violated, found by leaving out one trouble after another."""
    wanted = kind_of(report.violations[0])
    best, is_smaller = report, True
    while is_smaller and lives > 0:
        is_smaller = False
        for settings in calmer(best.settings):
            lives -= 1
            if lives < 0:
                break
            tried = live(settings)
            if any(kind_of(v) == wanted for v in tried.violations):
                best, is_smaller = tried, True
                break
    return best


def different(settings: Settings) -> dict[str, Any]:
    """The settings that are not those of a calm life, as JSON would have them."""
    return _difference(msgspec.to_builtins(settings), msgspec.to_builtins(Settings()))


def _difference(mine: dict[str, Any], calm: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in mine.items():
        if isinstance(value, dict):
            if inner := _difference(value, calm[name]):
                found[name] = inner
        elif value != calm[name]:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def settings_of(given: dict[str, Any]) -> Settings:
    """The inverse of `different`; "seed" alone means the life that is drawn from it."""
    return draw(given["seed"]) if list(given) == ["seed"] else msgspec.convert(given, Settings)


def story(report: Report) -> str:
    """What happened to the messages that the violations are about, and to the workers meanwhile."""
    ids = [int(found) for v in report.violations for found in re.findall(r"message (\d+)", v)]
    lines = [f"settings: {json.dumps(different(report.settings))}", *(f"violated: {v}" for v in report.violations[:5])]
    sights = sorted((sight.at_s, i, sight.text) for i in {0, *ids[:2]} for sight in report.witness.story[i])
    lines += [f"{at_s:12.3f}  {str(i) if i else '':17} {text}" for at_s, i, text in sights[:STORY_LINES]]
    return "\n".join(lines)


def keep(report: Report) -> None:
    """Add a case to the regressions."""
    cases = json.loads(KEPT.read_text())
    case = {"violates": kind_of(report.violations[0]), "settings": different(report.settings)}
    if case not in cases:
        KEPT.write_text(json.dumps([*cases, case], indent=1) + "\n")


def _try(seed: int) -> tuple[int, list[str], float, int]:
    report = live(draw(seed))
    return seed, report.violations, report.simulated_s, report.messages


def run(seeds: Iterable[int], jobs: int, *, is_kept: bool) -> bool:
    """Live all seeds; True when every invariant held in all of them."""
    started_s, failed, simulated_s, messages, done = time.perf_counter(), [], 0.0, 0, 0
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for seed, violations, lived_s, count in pool.imap_unordered(_try, seeds, chunksize=2):
            done, simulated_s, messages = done + 1, simulated_s + lived_s, messages + count
            if violations:
                failed.append(seed)
                print(f"seed {seed}: {violations[0]}", flush=True)
    took_s = time.perf_counter() - started_s
    print(f"{done} seeds, {messages} messages, {simulated_s / 3600:.0f} simulated hours in {took_s:.0f} s: "
          f"{done / took_s:.2f} seeds/s, {simulated_s / 3600 / took_s:.1f} simulated hours/s, Python {sys.version.split()[0]}")  # fmt: skip
    kinds: set[str] = set()
    for seed in sorted(failed):
        report = live(draw(seed))
        if not report.violations:
            print(f"I8: seed {seed} failed in one run and not in the next")
        elif (kind := kind_of(report.violations[0])) not in kinds:
            kinds.add(kind)
            small = shrink(report)
            print(f"\nseed {seed}, made small:\n{story(small)}")
            if is_kept:
                keep(small)
    return not failed


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="one seed, with its story")
    parser.add_argument("--keep", action="store_true", help="write what fails to regressions.json")
    given = parser.parse_args()
    if given.only is not None:
        report = live(draw(given.only))
        print(story(shrink(report) if report.violations else report))
        return bool(report.violations)
    return 0 if run(range(given.first, given.first + given.seeds), given.jobs, is_kept=given.keep) else 1


if __name__ == "__main__":
    sys.exit(main())
