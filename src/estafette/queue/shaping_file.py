"""Reads a shaping file (the shipped table or an operator's) and says in one go everything that is wrong with it. Pure.

    shipped()                                   the table of rules/shaping.toml
    read(text, "shaping.toml", shipped())       that table with an operator's file on top; ConfigError lists every problem with its line
    reload(loaded, text, "shaping.toml")        the new table, or the old one and the problems of the new text

Sections: [default], [provider.NAME], [site."MX"], each with [....source."ADDRESS"] below; [limit.NAME], [pool.NAME], [warmup."ADDRESS"] with
[....provider.NAME] below, [stream.NAME], and [[rule]]. What single values may be stands in `queue/shaping_keys.py`.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from estafette.queue.latency import Objective
from estafette.queue.pools import Pool, Pooled
from estafette.queue.rate import NO_LIMIT
from estafette.queue.reactions import Reaction
from estafette.queue.shaping import DEFAULT, PROVIDER, SHIPPED, SITE, Change, Layer, NamedLimit, Provider, Table
from estafette.queue.shaping_keys import (
    AS_DEFAULT,
    LIMIT,
    LIMITS,
    LOWERED,
    POOL,
    PROVIDER_ONLY,
    RAMP,
    RULE,
    STREAM,
    TOTALS,
    WARMUP,
    Lines,
    Reader,
    lines_of,
    meant,
    source_address,
)  # fmt: skip
from estafette.queue.warmup import Plan, Ramp
from estafette.rules import load
from estafette.settings import ConfigError

SECTIONS: Final = ("default", "provider", "site", "limit", "pool", "warmup", "stream", "rule")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The table in force."""

    table: Table
    text: str = ""  # of the operator's file that it was made from
    problems: tuple[str, ...] = ()  # of the last reload, when it was refused


@cache
def shipped() -> Table:
    """The table that comes with the program. Raises ConfigError when the program is broken."""
    return _table(load("shaping"), {}, SHIPPED, Table())


def read(text: str, file: str, under: Table) -> Table:
    """The table `under` with an operator's file on top of it. Raises ConfigError with every problem, each with file, line and reason."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}: not valid TOML: {error}"]) from None
    return _table(given, lines_of(text), file, under)


def reload(current: Loaded, text: str, file: str) -> Loaded:
    """What is in force after a new text was seen: its table, or still the current one with the problems of the new text."""
    if text == current.text and not current.problems:
        return current
    try:
        return Loaded(read(text, file, shipped()), text)
    except ConfigError as error:
        return replace(current, problems=tuple(error.problems))


def _table(given: dict[str, Any], lines: Lines, file: str, under: Table) -> Table:
    reader = _Sections(given, lines, file, under)
    table = reader.table()
    if reader.problems:
        raise ConfigError(reader.sorted_problems())
    return table


class _Sections(Reader):
    """One file, section by section."""

    def __init__(self, given: dict[str, Any], lines: Lines, file: str, under: Table) -> None:
        super().__init__(lines, file)
        self._given = given
        self._under = under
        self._layers: list[Layer] = []

    def table(self) -> Table:
        """Everything; what is wrong is left out and told in `problems`."""
        for name in self._given:
            if name not in SECTIONS:
                self.problem((name,), f"unknown section{meant(name, SECTIONS)}")
        providers, totals = self._providers()
        self._layer(DEFAULT, "", ("default",), self.section(("default",), self._given.get("default", {})), ())
        for name, value in self.sections(("site",), self._given.get("site", {})):
            self._layer(SITE, name.lower().rstrip("."), ("site", name), value, ())
        known = [provider.name for provider in providers]
        named = self._named()
        return Table(
            tuple(providers),
            (*self._under.layers, *self._layers),
            tuple({limit.name: limit for limit in (*self._under.named, *named, *totals)}.values()),
            self._rules(known),
            tuple({pool.name: pool for pool in (*self._under.pools, *self._pools())}.values()),
            tuple({plan.source: plan for plan in (*self._under.warmups, *self._warmups(known))}.values()),
            tuple({goal.stream: goal for goal in (*self._under.objectives, *self._streams())}.values()),
        )

    def _providers(self) -> tuple[list[Provider], list[NamedLimit]]:
        found = {provider.name: provider for provider in self._under.providers}
        totals = {limit.provider: limit for limit in self._under.named if limit.provider}
        own = self.sections(("provider",), self._given.get("provider", {}))
        for name, value in own:
            path = ("provider", name)
            self._layer(PROVIDER, name, path, value, (*PROVIDER_ONLY, *TOTALS))
            values = self.values(path, value, {**PROVIDER_ONLY, **TOTALS, **LIMITS}, ignore=("source",), quietly=True)
            if "mx" in values:
                found[name] = Provider(name, values["mx"], self.where((*path, "mx")))
            elif name not in found and "mx" not in value:
                self.problem(path, f"a new provider needs mx = [...], the names its MX hosts end in{meant(name, list(found), only_close=True)}")
            if any(key in values for key in TOTALS):
                old = totals.get(name, NamedLimit(f"provider {name}", is_per_source=True, provider=name))
                totals[name] = replace(
                    old, where=self.where(path), connections=values.get("total_connections", old.connections),
                    messages_per_s=values.get("total_message_rate", old.messages_per_s), burst=values.get("total_burst", old.burst),
                )  # fmt: skip
        homes: dict[str, str] = {}
        for provider in found.values():
            for mx in provider.mx:
                if mx in homes:
                    self.problem(("provider", provider.name, "mx"), f"{mx} is a host of provider {homes[mx]} already")
                homes[mx] = provider.name
        return list(found.values()), list(totals.values())

    def _layer(self, kind: str, name: str, path: tuple[str, ...], value: dict[str, Any], others: Sequence[str]) -> None:
        """The limits of a section, and those for single sources below it."""
        if kind == SITE and not name:
            self.problem(path, "must name an MX host")
        changes = self._changes(path, value, (*others, "source"))
        is_operators = self.file != SHIPPED
        if changes:
            self._layers.append(Layer(kind, name, "", changes, is_operators))
        for source, inner in self.sections((*path, "source"), value.get("source", {})):
            address = self.read((*path, "source", source), source_address, source)
            if address is not None:
                self._layers.append(Layer(kind, name, address, self._changes((*path, "source", source), inner, ()), is_operators))

    def _changes(self, path: tuple[str, ...], value: dict[str, Any], others: Sequence[str]) -> tuple[Change, ...]:
        rows = {**LIMITS, **{key: row for group in (PROVIDER_ONLY, TOTALS) for key, row in group.items() if key in others}}
        values = self.values(path, value, rows, ignore=("source",) if "source" in others else ())
        if path == ("default",):
            for key in [key for key, entry in values.items() if entry == AS_DEFAULT]:
                self.problem((*path, key), 'cannot be "default": this is where the default is said')
        return tuple(
            Change(row.field, None if values[key] == AS_DEFAULT else values[key], self.where((*path, key)))
            for key, row in LIMITS.items() if key in values
        )  # fmt: skip

    def _named(self) -> list[NamedLimit]:
        found = []
        for name, value in self.sections(("limit",), self._given.get("limit", {})):
            path = ("limit", name)
            values = self.values(path, value, LIMIT)
            if name.startswith("provider "):
                self.problem(path, "a name that begins so is used for the totals of providers")
            if not {"connections", "message_rate"} & set(value):
                self.problem(path, "limits nothing: give connections or message_rate")
            if "domains" in value and "connections" in value:
                self.problem((*path, "connections"), "a connection serves many domains: with domains only message_rate can be limited")
            if not {"mx", "domains", "sources"} & set(value):
                self.problem(path, "says not for what: give mx, domains or sources")
            found.append(NamedLimit(
                name, values.get("connections", NO_LIMIT), values.get("message_rate", NO_LIMIT), values.get("burst", 1), "", values.get("mx", ()),
                values.get("domains", ()), values.get("sources", ()), values.get("per", "all") == "source", self.where(path),
            ))  # fmt: skip
        return found

    def _rules(self, providers: Sequence[str]) -> tuple[Reaction, ...]:
        found = {reaction.name: reaction for reaction in self._under.reactions}
        own: set[str] = set()
        rows = self._given.get("rule", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.problem(("rule",), "is a list of tables, each to be written [[rule]]")
            return tuple(found.values())
        for number, row in enumerate(rows):
            path = ("rule", str(number))
            before = len(self.problems)
            values = self.values(path, row, RULE, title=f"rule {row['name']}" if isinstance(row.get("name"), str) else f"rule number {number + 1}")
            name = values.get("name", "")
            if "name" not in row:
                self.problem(path, "needs a name")
            elif name and name in own:
                self.problem((*path, "name"), f"there is a rule {name} in this file already")
            own.add(name)
            if values.get("off"):
                if name not in found:
                    self.problem(path, f"there is no rule {name} to switch off{meant(name, list(found), only_close=True)}")
                found.pop(name, None)
                continue
            reaction = self._reaction(path, values, row, providers)
            if len(self.problems) == before:
                found[name] = reaction
        return tuple(found.values())

    def _reaction(self, path: tuple[str, ...], values: dict[str, Any], row: dict[str, Any], providers: Sequence[str]) -> Reaction:
        lower = tuple((LIMITS[key].field, values[key]) for key in LOWERED if key in values)
        for name in values.get("providers", ()):
            if name not in providers:
                self.problem((*path, "providers"), f"there is no provider {name}{meant(name, providers)}")
        if bool(lower) == ("suspend" in row) and not self.has_problem(path):
            self.problem(path, "must do one thing: suspend, or lower limits such as message_rate")
        if any(value in (AS_DEFAULT, NO_LIMIT) for _, value in lower):
            self.problem(path, "a rule can only lower a limit to a number")
        if "for" not in row:
            self.problem(path, 'needs how long, such as for = "1h"')
        if not {"text", "codes", "enhanced", "categories"} & set(row):
            self.problem(path, "would hear every failed reply: give text, codes, enhanced or categories")
        count, within_s = values.get("after", (1, 0.0))
        return Reaction(
            values.get("name", ""), values.get("for", 0.0), values.get("suspend", ""), lower, count, within_s, values.get("providers", ()),
            values.get("hosts", ()), values.get("text", ()), values.get("codes", ()), values.get("enhanced", ()), values.get("categories", ()),
            values.get("stages", ()), self.where(path),
        )  # fmt: skip

    def _pools(self) -> list[Pool]:
        found = []
        for name, value in self.sections(("pool",), self._given.get("pool", {})):
            path = ("pool", name)
            values = self.values(path, value, POOL)
            if "sources" not in value:
                self.problem(path, "needs sources")
            if name != "default" and not {"accounts", "streams", "campaigns"} & set(value):
                self.problem(path, "is used by nothing: give accounts, streams or campaigns, or call it default")
            sources = tuple(Pooled(address, weight) for address, weight in values.get("sources", ()))
            if "sources" in values and not any(source.weight for source in sources):
                self.problem((*path, "sources"), "no source has a weight above 0")
            found.append(Pool(name, sources, values.get("accounts", ()), values.get("streams", ()), values.get("campaigns", ()), self.where(path)))
        return found

    def _streams(self) -> list[Objective]:
        found = []
        for name, value in self.sections(("stream",), self._given.get("stream", {})):
            values = self.values(("stream", name), value, STREAM)
            if "deliver_within" not in value:
                self.problem(("stream", name), 'needs deliver_within, such as "10s"')
            found.append(Objective(name, values.get("deliver_within", 0.0), self.where(("stream", name))))
        return found

    def _warmups(self, providers: Sequence[str]) -> list[Plan]:
        found = []
        for source, value in self.sections(("warmup",), self._given.get("warmup", {})):
            path = ("warmup", source)
            address = self.read(path, source_address, source)
            values = self.values(path, value, {**WARMUP, **RAMP}, ignore=("provider",))
            if "started" not in value:
                self.problem(path, "needs the day it began, such as started = 2026-11-24")
            ramp = self._ramp(path, Ramp(), values)
            ramps = []
            for name, inner in self.sections((*path, "provider"), value.get("provider", {})):
                below = (*path, "provider", name)
                if name not in (*providers, "other"):
                    self.problem(below, f"there is no provider {name}{meant(name, providers)}")
                ramps.append((name, self._ramp(below, ramp, self.values(below, inner, RAMP))))
            if address is not None and "started" in values:
                found.append(Plan(address, values["started"], ramp, tuple(ramps), self.where(path)))
        return found

    def _ramp(self, path: tuple[str, ...], under: Ramp, values: dict[str, Any]) -> Ramp:
        ramp = replace(under, **{key: value for key, value in values.items() if key in RAMP})
        if ramp.first_day > ramp.warm_at:
            self.problem(path, "first_day is more than warm_at: there is nothing to warm up")
        for what in ("deferred", "bounced", "complained"):
            if getattr(ramp, f"hold_{what}") > getattr(ramp, f"stop_{what}"):
                self.problem(path, f"hold_{what} is more than stop_{what}: what is bad must be worse than what is doubtful")
        return ramp
