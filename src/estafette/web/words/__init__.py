"""The French catalogue. `python -m estafette.web.words` brings it up to date with the source and compiles it; a test fails until that was done.

Texts are found in the templates and wherever `_()` marks one. What is not translated yet is left empty, which the test also finds.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

HERE: Final = Path(__file__).parent
METHODS: Final = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS: Final = {"**/templates/**.html": {"newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}}

KEYWORDS: Final = {"_": None, "gettext": None, "ngettext": (1, 2), "_c": ((1, "c"), 2), "pgettext": ((1, "c"), 2)}


def extracted() -> Catalog:
    """Every text of the dashboard."""
    catalog = Catalog(project="Estafette", fuzzy=False, header_comment="# The dashboard in French. See words/__init__.py.")
    found = extract_from_dir(str(HERE.parent), METHODS, OPTIONS, KEYWORDS)
    for name, _line, text, _comments, context in found:
        catalog.add(text, locations=[(name, 0)], context=context)
    return catalog


def read() -> Catalog:
    """The catalogue as it stands."""
    with (HERE / "fr.po").open("rb") as file:
        return read_po(file, locale="fr")


def compiled(catalog: Catalog, path: Path) -> None:
    """Write the compiled form."""
    with path.open("wb") as file:
        write_mo(file, catalog)


CREATED: Final = datetime(2026, 11, 1, tzinfo=UTC)


def update() -> None:
    """Take over new texts, drop those that are gone, compile."""
    catalog = read() if (HERE / "fr.po").exists() else Catalog(locale="fr", project="Estafette")
    catalog.update(extracted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.creation_date = CREATED  # no date of the day: it would be a conflict in every merge
    with (HERE / "fr.po").open("wb") as file:
        write_po(file, catalog, width=160, no_location=True, omit_header=False, sort_output=True, ignore_obsolete=True)
    compiled(read(), HERE / "fr.mo")
