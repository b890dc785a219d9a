"""Provider knowledge as data (TOML): what replies mean, shaping limits; later known typos, image proxies.

Takes: the name of a packaged file. Gives: its tables, unjudged; the reader knows their meaning. Owns: the files beside this card.
Never: code that decides, configuration of one site, anything that is read from outside the package.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(name: str) -> dict[str, Any]:
    """Read the packaged file `<name>.toml`, once per process; treat the answer as read-only. Raises FileNotFoundError, tomllib.TOMLDecodeError."""
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text("utf-8"))
