"""Which mailbox provider a message went to, by the names that statistics use (rules/esps.toml). Pure."""

from functools import cache, lru_cache
from typing import Final

from estafette.rules import load

OTHERS: Final = "others"


@cache
def _esps() -> tuple[tuple[str, tuple[str, ...], frozenset[str]], ...]:
    return tuple((e["name"], tuple(e["mx"]), frozenset(e.get("domains", ()))) for e in load("esps")["esp"])


@lru_cache(65_536)
def provider_of(site: str, domain: str) -> str:
    """The provider of a site (its MX hosts, joined by commas) for a recipient's domain; "" while there is no site, OTHERS when nobody fits."""
    if not site:
        return ""
    hosts = site.partition("#")[0].split(",")
    for name, below, domains in _esps():
        if (not domains or domain in domains) and all(any(host == top or host.endswith("." + top) for top in below) for host in hosts):
            return name
    return OTHERS


def names() -> list[str]:
    """Every name, in the order of the rules."""
    return [*dict.fromkeys(name for name, _, _ in _esps()), OTHERS]
