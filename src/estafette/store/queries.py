"""Loads the named queries: `sql/*.sql`, one file per room, the same `$1`-style text for both databases wherever possible.

File format: a line `-- name: accept_message` starts a query; further comment lines describe it. `-- name: claim (postgres)` gives the text
that one database needs instead; a comment there says why it differs. Two notations hide the rest of the difference:
`{ints:$1}` and `{texts:$1}` stand for the set of values of a list parameter.
"""

import re
from importlib import resources

_NAME = re.compile(r"^-- name: ([a-z_0-9]+)(?: \((sqlite|postgres)\))?\s*$", re.M)
_LIST = re.compile(r"\{(ints|texts):\$(\d+)\}")
_PARAM = re.compile(r"\$(\d+)")


def load(dialect: str) -> dict[str, str]:
    """Query name → text for `dialect` ("sqlite" or "postgres"). A name given twice for one dialect is an error at start."""
    found: dict[tuple[str, str], str] = {}
    for file in sorted(resources.files("estafette.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        parts = _NAME.split(file.read_text("utf-8"))
        for name, only, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            if (name, only or "") in found:
                raise ValueError(f"query {name} is defined twice ({file.name})")
            found[name, only or ""] = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
    names = {name for name, _ in found}
    texts = {}
    for name in names:
        text = found.get((name, dialect)) or found.get((name, ""))
        if text is not None:
            texts[name] = _translate(text, dialect)
    return texts


def _translate(text: str, dialect: str) -> str:
    if dialect == "postgres":
        return _LIST.sub(lambda m: f"(SELECT unnest(${m[2]}::{'bigint' if m[1] == 'ints' else 'text'}[]))", text)
    text = _LIST.sub(lambda m: f"(SELECT value FROM json_each(?{m[2]}))", text)
    return _PARAM.sub(r"?\1", text)
