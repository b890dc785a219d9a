"""What a reader's User-Agent says about the program and its platform, in the words that statistics use. Pure."""

from functools import lru_cache
from typing import Final

from ua_parser import parse

UNKNOWN: Final = "unknown"


@lru_cache(16_384)
def agent_of(text: str) -> tuple[str, str]:
    """(family and major version, platform); UNKNOWN for what is not said."""
    found = parse(text[:500])
    agent, system = found.user_agent, found.os
    name = UNKNOWN if agent is None else f"{agent.family} {agent.major}" if agent.major else agent.family
    return name, UNKNOWN if system is None else system.family
