"""How fast mail may go to a site, and who says so: the table of shaping and the limits that follow from it. Pure.

A *provider* is an operator of many sites, known by what the names of its MX hosts end in. Limits come in layers; the more specific one wins,
and within one kind the operator's file wins over what is shipped:

    default < default for a source < provider < provider for a source < site < site for a source      (then what the configuration caps)

Beside its own limits a path may count towards *named limits*, shared by all paths that match: "all sites of this provider together", "these two
sources to those domains". They only ever lower. `limits_for` answers with every value and where it comes from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from estafette.queue.latency import Objective
from estafette.queue.paths import site_name
from estafette.queue.pools import Pool
from estafette.queue.rate import NO_LIMIT, written
from estafette.queue.reactions import Reaction
from estafette.queue.warmup import Plan

SHIPPED: Final = "shipped"
BUILT_IN: Final = "built in"
DEFAULT, PROVIDER, SITE = "default", "provider", "site"
_RANK: Final = {DEFAULT: 0, PROVIDER: 1, SITE: 2}


@dataclass(frozen=True, slots=True)
class Limits:
    """The ceilings of one path: one source address to one site."""

    connections: int  # open at once
    connections_per_s: float  # new ones; NO_LIMIT = as many as wanted
    messages_per_connection: int
    messages_per_s: float
    burst: int  # messages that may go at once after a rest before they are spaced


FIELDS: Final = ("connections", "connections_per_s", "messages_per_connection", "messages_per_s", "burst")
LAST_RESORT: Final = Limits(20, NO_LIMIT, 100, NO_LIMIT, 1)
"""What holds when not even the shipped table says anything."""


@dataclass(frozen=True, slots=True)
class Change:
    """One value of a layer."""

    field: str  # of Limits
    value: float | None  # None: back to what the default layers say
    where: str  # "shipped" or FILE:LINE


@dataclass(frozen=True, slots=True)
class Layer:
    """The values of one section."""

    kind: str  # default, provider, site
    name: str = ""  # of the provider; of the site: what its MX hosts end in, or the site's whole name
    source: str = ""  # "" = all sources
    changes: tuple[Change, ...] = ()
    is_operators: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """Sites that one operator runs."""

    name: str
    mx: tuple[str, ...]  # every MX host of a domain must be one of these names or lie below one
    where: str = SHIPPED


@dataclass(frozen=True, slots=True)
class NamedLimit:
    """A ceiling over all paths that match every condition given."""

    name: str
    connections: float = NO_LIMIT
    messages_per_s: float = NO_LIMIT
    burst: int = 1
    provider: str = ""  # the sites of this provider
    mx: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()  # the recipient's domain, or what it ends in
    sources: tuple[str, ...] = ()
    is_per_source: bool = False  # one counter for every source instead of one for all
    where: str = SHIPPED


@dataclass(frozen=True, slots=True)
class Table:
    """Everything that shaping files say."""

    providers: tuple[Provider, ...] = ()
    layers: tuple[Layer, ...] = ()
    named: tuple[NamedLimit, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    pools: tuple[Pool, ...] = ()
    warmups: tuple[Plan, ...] = ()
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True, slots=True)
class Caps:
    """What the configuration allows at most, whatever the tables say."""

    connections: int | None = None
    messages_per_connection: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value comes from."""

    field: str
    layer: str  # "default", "provider google", "site example.com for 192.0.2.1", "configuration"
    where: str
    replaced: tuple[str, ...] = ()  # "layer: value" of what it won over, weakest first


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one path."""

    limits: Limits
    origins: tuple[Origin, ...]  # one per field of Limits, in their order
    provider: str = ""  # "" = none that we know
    named: tuple[NamedLimit, ...] = ()


def is_below(host: str, names: Sequence[str]) -> bool:
    """True when a host is one of the names or lies below one."""
    return any(host == name or host.endswith("." + name) for name in names)


def provider_of(hosts: Sequence[str], table: Table) -> str:
    """The provider that runs all of these MX hosts; "" when there is none.

    All must match: a domain that mixes the hosts of two providers belongs to neither. The longest name that matches decides.
    """
    best, most = "", 0
    for provider in table.providers:
        fits = [max((len(name) for name in provider.mx if is_below(host, (name,))), default=0) for host in hosts]
        if fits and min(fits) > most:
            best, most = provider.name, min(fits)
    return best


def limits_for(site_hosts: Sequence[str], domain: str, table: Table, source: str = "", caps: Caps = Caps()) -> Effective:
    """The limits of the path from `source` ("" = any) to the site of these MX hosts, for mail to `domain`, and where each comes from."""
    provider = provider_of(site_hosts, table)
    applying = sorted((layer for layer in table.layers if _applies(layer, site_hosts, provider, source)), key=_rank)
    given: dict[str, tuple[float, Origin]] = {}
    defaults: dict[str, tuple[float, Origin]] = {}
    for field in FIELDS:
        given[field] = (getattr(LAST_RESORT, field), Origin(field, BUILT_IN, SHIPPED))
    for layer in applying:
        for change in layer.changes:
            old_value, old = given[change.field]
            lost = () if old.layer == BUILT_IN else (*old.replaced, f"{old.layer}: {shown(change.field, old_value)}")
            value, home = change.value, _title(layer)
            if value is None:
                value, home = defaults.get(change.field, given[change.field])[0], f"{home}: as the default"
            given[change.field] = value, Origin(change.field, home, change.where, lost)
        if layer.kind == DEFAULT:
            defaults = dict(given)
    for field in ("connections", "messages_per_connection"):
        cap, (value, old) = getattr(caps, field), given[field]
        if cap is not None and cap < value:
            given[field] = cap, Origin(field, "configuration", f"delivery.{field}", (*old.replaced, f"{old.layer}: {shown(field, value)}"))
    values = {field: value for field, (value, _) in given.items()}
    limits = Limits(
        int(values["connections"]), values["connections_per_s"], int(values["messages_per_connection"]), values["messages_per_s"], int(values["burst"])
    )
    named = tuple(limit for limit in table.named if _counts(limit, site_hosts, domain, provider, source))
    return Effective(limits, tuple(origin for _, origin in given.values()), provider, named)


def shown(field: str, value: float) -> str:
    """A value of Limits as a person writes it."""
    if field.endswith("_per_s"):
        return written(value)
    return "none" if math.isinf(value) else str(int(value))


def counter_of(limit: NamedLimit, source: str) -> str:
    """The key under which a path's connections and messages count towards a named limit."""
    return f"{limit.name} {source}" if limit.is_per_source else limit.name


def hosts_of(site: str) -> list[str]:
    """The MX hosts in the name of a site (`paths.site_name`); of a very long list those that its name still holds."""
    names, digest, _ = site.partition("#")
    hosts = names.split(",")
    return hosts[:-1] if digest and len(hosts) > 1 else hosts


def home_of(site: str, table: Table) -> str:
    """The name under which the worker for a site is chosen: sites that share a provider's counter have one home, so that it needs no other's count."""
    provider = provider_of(hosts_of(site), table)
    return next((limit.name for limit in table.named if provider and limit.provider == provider), site)


def part_of(limit: NamedLimit, workers: int) -> NamedLimit:
    """A worker's part of a limit whose paths are spread over several workers."""
    if workers <= 1:
        return limit
    connections = limit.connections if math.isinf(limit.connections) else max(1, limit.connections // workers)
    return replace(limit, connections=connections, messages_per_s=limit.messages_per_s / workers)


# -- what it comes to ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing that keeps mail from going faster."""

    what: str
    messages_per_s: float


def throughput(effective: Effective, connect_s: float, message_s: float, window: int | None = None) -> list[Bound]:
    """How much can go over one path, the tightest bound first: that one limits.

    `connect_s` and `message_s` are how long a connection and a message take; `window` is how many connections the path has earned, when known.
    """
    limits = effective.limits
    per_connection = limits.messages_per_connection / (connect_s + limits.messages_per_connection * message_s)
    bounds = [
        Bound("connections", limits.connections * per_connection),
        Bound("connection_rate × messages_per_connection", limits.connections_per_s * limits.messages_per_connection),
        Bound("message_rate", limits.messages_per_s),
    ]
    if window is not None and window < limits.connections:
        bounds.append(Bound("window", window * per_connection))
    for limit in effective.named:
        bounds += [
            Bound(f"{limit.name}: connections", limit.connections * per_connection),
            Bound(f"{limit.name}: message_rate", limit.messages_per_s),
        ]
    return sorted((bound for bound in bounds if bound.messages_per_s != NO_LIMIT), key=lambda bound: bound.messages_per_s)


# -- inside -------------------------------------------------------------------------------------------------------------------


def _applies(layer: Layer, hosts: Sequence[str], provider: str, source: str) -> bool:
    if layer.source and layer.source != source:
        return False
    if layer.kind == PROVIDER:
        return layer.name == provider
    if layer.kind == SITE:
        return layer.name == site_name(hosts) or all(is_below(host, (layer.name,)) for host in hosts)
    return True


def _rank(layer: Layer) -> tuple[int, bool, int, bool]:
    return _RANK[layer.kind], bool(layer.source), len(layer.name) if layer.kind == SITE else 0, layer.is_operators


def _title(layer: Layer) -> str:
    name = f"{layer.kind} {layer.name}".strip()
    return f"{name} for {layer.source}" if layer.source else name


def _counts(limit: NamedLimit, hosts: Sequence[str], domain: str, provider: str, source: str) -> bool:
    return (
        (not limit.provider or limit.provider == provider)
        and (not limit.mx or all(is_below(host, limit.mx) for host in hosts))
        and (not limit.domains or is_below(domain, limit.domains))
        and (not limit.sources or source in limit.sources)
    )
