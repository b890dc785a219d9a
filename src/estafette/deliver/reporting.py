"""What a worker says of itself: how its paths stand and what holds each of them now. Pure."""

from collections.abc import Iterable
from typing import Final, Protocol

from estafette.clock import SECOND_US
from estafette.nouns import PathReport
from estafette.queue.paths import START
from estafette.queue.rate import NO_LIMIT
from estafette.queue.shaper import Shaper, Way

MAX_PATHS: Final = 300


class Shown(Protocol):
    """What a path shows of itself."""

    way: Way
    in_flight: int

    @property
    def waiting(self) -> int:
        """Messages that are ready."""


def path_reports(paths: Iterable[Shown], shaper: Shaper, now_us: int, now_s: float) -> list[PathReport]:
    """Those that have mail or trouble, the fullest first."""
    shown = [_report(path, shaper, now_us, now_s) for path in paths]
    shown = [report for report in shown if report.ready or report.in_flight or report.paused_until or report.held_by]
    return sorted(shown, key=lambda report: -report.ready - report.in_flight)[:MAX_PATHS]


def _report(path: Shown, shaper: Shaper, now_us: int, now_s: float) -> PathReport:
    way, flow, limits = path.way, path.way.flow, path.way.flow.limits
    rest_s = shaper.rest_s(way, now_s)
    held_by, said_by, reply = _holder(path, shaper, now_s, rest_s)
    return PathReport(
        way.site, way.source, way.effective.provider, way.open, flow.size, limits.connections, 0.0 if flow.rate == NO_LIMIT else round(flow.rate, 4),
        round(flow.measured, 2), path.waiting, path.in_flight, now_us + int(rest_s * SECOND_US) if rest_s > 0 else 0, held_by, said_by, reply[:200],
    )  # fmt: skip


def _holder(path: Shown, shaper: Shaper, now_s: float, rest_s: float) -> tuple[str, str, str]:
    """(what, who said so, in which words)."""
    way, flow = path.way, path.way.flow
    places = (("path", way.source, way.site), ("source", way.source), ("site", way.site))
    measure = max((m for m in shaper.measures(now_s) if m.key in places), key=lambda m: (m.is_suspension, m.until_s), default=None)
    if measure is not None and (measure.is_suspension or rest_s <= 0):
        return "suspended" if measure.is_suspension else "lowered", f"rule {measure.reaction.name} ({measure.reaction.where})", measure.reply
    if rest_s > 0:
        return ("dead", "no host answers", "") if flow.is_dead else ("asked", way.site, "")
    if flow.rate < way.effective.limits.messages_per_s:
        return "rate", f"{way.site} asked us to slow down", ""
    if flow.rate != NO_LIMIT and path.waiting:
        origin = way.effective.origins[3]
        return "rate", f"{origin.layer} ({origin.where})", ""
    if path.waiting and way.open >= flow.size:
        if flow.size < min(START, flow.limits.connections) or flow.size < flow.eager_to < 2**31:
            return "window", f"{way.site} asked us to slow down", ""
        origin = way.effective.origins[0]
        return ("connections", f"{origin.layer} ({origin.where})", "") if flow.size >= flow.limits.connections else ("window", "still opening", "")
    return "", "", ""
