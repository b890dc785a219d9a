"""Templates to pages: two environments, one per language, with the formats and words of it; static files with names that change when they do."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from estafette.web import charts, statuses
from estafette.web.explaining import BLOCK_CAUSES, CAUSES, STAGES
from estafette.web.formats import LANGUAGES, Formats
from estafette.web.languages import words

ROOT: Final = "/app"
TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file as it is served."""

    name: str  # with its hash: app.1f2e3d4c5b.css
    type: str
    body: bytes
    packed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Plain name → file."""
    found = {}
    for file in files(__package__).joinpath("static").iterdir():
        stem, dot, ending = file.name.rpartition(".")
        if dot + ending in TYPES:
            body = file.read_bytes()
            name = f"{stem}.{hashlib.sha256(body).hexdigest()[:10]}.{ending}"
            found[file.name] = Asset(name, TYPES[dot + ending], body, gzip.compress(body, 9, mtime=0))
    return found


@cache
def assets_by_hashed_name() -> dict[str, Asset]:
    """Served name → file."""
    return {asset.name: asset for asset in assets().values()}


def asset_url(name: str) -> str:
    """The address of a static file."""
    return f"{ROOT}/static/{assets()[name].name}"


def _icon(name: str, text: str = "") -> Markup:
    """An icon of the sprite: decoration, or with a text a picture of its own."""
    if text:
        return Markup('<svg class="icon" role="img" aria-label="{}"><use href="{}#{}"></use></svg>').format(text, asset_url("icons.svg"), name)
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>').format(asset_url("icons.svg"), name)


def _address(text: str) -> Markup:
    """An address that breaks, where it must, after its @."""
    local, at, domain = text.rpartition("@")
    return Markup("{}{}{}{}").format(local, at, Markup("<wbr>") if at else "", domain)


@cache
def environment(language: str) -> Environment:
    """The environment of a language. Everything is escaped; an unknown variable is an error, not an empty place."""
    env = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                      extensions=["jinja2.ext.i18n"], auto_reload=False)  # fmt: skip
    env.install_gettext_translations(words(language), newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    formats = Formats(language)
    env.globals.update(
        language=language, languages=LANGUAGES, f=formats, asset=asset_url, icon=_icon, root=ROOT, sparkline=charts.sparkline, shown=statuses.shown,
        marks_of=statuses.marks_of, STATUSES=statuses.STATUSES, GROUP_WORDS=statuses.GROUP_WORDS,
        CAUSES=CAUSES, BLOCK_CAUSES=BLOCK_CAUSES, STAGE_WORDS=frozenset(STAGES.values()),
    )  # fmt: skip
    env.filters.update(number=formats.number, when=formats.when, iso=formats.iso, size=formats.size, duration=formats.duration, address=_address)
    return env


def render(language: str, template: str, context: dict[str, Any]) -> str:
    """A page."""
    return environment(language).get_template(template).render(context)
