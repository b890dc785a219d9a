"""Geometry of the charts that templates draw as SVG: sparklines, stacked bars over time, lines with thresholds. Pure.

Axes begin at zero. Every chart has the same figures as a table beside it; uPlot, where it is loaded, reads them from there.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


def sparkline(values: Sequence[int], width: int = 120, height: int = 28) -> str:
    """The points of a polyline; "" when there is nothing to draw."""
    if len(values) < 2:
        return ""
    top = max(values) or 1
    step = width / (len(values) - 1)
    return " ".join(f"{i * step:.1f},{height - 2 - (height - 4) * value / top:.1f}" for i, value in enumerate(values))


def nice_top(value: float) -> float:
    """The end of an axis that reaches a value: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999999)


@dataclass(frozen=True, slots=True)
class Rect:
    """One box of a bar."""

    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A label or a threshold at a place of an axis."""

    text: str
    at: float
    key: str = ""


@dataclass(frozen=True, slots=True)
class Stacked:
    """Bars over time, each a stack of parts of one whole."""

    width: int
    height: int
    boxes: tuple[Rect, ...]
    below: tuple[Mark, ...]  # along the time axis
    beside: tuple[Mark, ...]  # along the value axis


def stacked(columns: Sequence[Sequence[tuple[str, int]]], labels: Sequence[str], values: Sequence[tuple[float, str]], width: int = 760,
            height: int = 180) -> Stacked:  # fmt: skip
    """`columns` are stacks of (key, count), `labels` their times, `values` the axis: (number, text), the largest last."""
    top = values[-1][0] if values else 1.0
    slot = width / max(1, len(columns))
    gap = min(4.0, slot * 0.2)
    boxes = []
    for i, column in enumerate(columns):
        base = float(height)
        for key, count in column:
            if count <= 0:
                continue
            tall = height * count / top
            base -= tall
            boxes.append(Rect(key, round(i * slot + gap / 2, 2), round(base, 2), round(slot - gap, 2), round(tall, 2)))
    every = max(1, math.ceil(len(labels) / 8))
    below = tuple(Mark(text, round((i + 0.5) * slot, 1)) for i, text in enumerate(labels) if i % every == 0)
    beside = tuple(Mark(text, round(height - height * number / top, 1)) for number, text in values)
    return Stacked(width, height, tuple(boxes), below, beside)


@dataclass(frozen=True, slots=True)
class Lines:
    """Rates over time with their thresholds."""

    width: int
    height: int
    lines: tuple[tuple[str, str], ...]  # (key, points); gaps where there is no rate
    limits: tuple[Mark, ...]
    beside: tuple[Mark, ...]


def lines(series: Sequence[tuple[str, Sequence[float | None]]], limits: Sequence[tuple[str, float, str]], values: Sequence[tuple[float, str]],
          width: int = 760, height: int = 90) -> Lines:  # fmt: skip
    """`limits` are (key, value, text)."""
    top = values[-1][0] if values else 1.0
    drawn = []
    for key, points in series:
        step = width / max(1, len(points))
        run: list[tuple[float, float]] = []
        for i, value in enumerate([*points, None]):
            if value is not None:
                run.append(((i + 0.5) * step, height - height * min(1.0, value / top)))
                continue
            if len(run) == 1:  # a point alone is drawn as a dash
                run = [(run[0][0] - 4, run[0][1]), (run[0][0] + 4, run[0][1])]
            if run:
                drawn.append((key, " ".join(f"{x:.1f},{y:.1f}" for x, y in run)))
            run = []
    marks = tuple(Mark(text, round(height - height * value / top, 1), key) for key, value, text in limits if value <= top)
    return Lines(width, height, tuple(drawn), marks, tuple(Mark(text, round(height - height * number / top, 1)) for number, text in values))
