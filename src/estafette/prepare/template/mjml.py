"""MJML to HTML through mjml-python, behind a guard. Pure.

The library harms what it does not expect, and we found out how: characters beyond ASCII, tabs and backslashes in attribute values come out escaped, and
an element a few thousand levels deep ends the process. So everything of that kind, and every template tag, travels as an ASCII placeholder; depth
and size are limited; nothing is included from files.
"""

import re
from typing import Final

import mjml

from estafette.prepare.template.running import Place, TemplateError

MAX_SOURCE: Final = 500_000
MAX_DEPTH: Final = 100
MAX_HTML: Final = 4_000_000
_KEEP: Final = re.compile(
    r"\{\{[^{}]*+(?:\}(?!\})[^{}]*+)*+\}\}|\{%[^%{]*+(?:%(?!\})[^%{]*+)*+%\}|\[\[[^\[\]<>]{1,300}\]\]|[^\x00-\x7f]+|[\t\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+"
)
_MARKUP: Final = re.compile(r"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<[!?][^>]*+>|<(/?)([A-Za-z][\w:-]*)(?:[^"'>]|"[^"]*+"|'[^']*+')*+>""", re.S)
_START: Final = re.compile(r"<[!?/A-Za-z]")
_PLACE: Final = re.compile(r"position (\d+)")
_VOID: Final = frozenset({"br", "img", "hr", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr"})


def to_html(source: str) -> str | TemplateError:
    """The HTML, or why there is none."""
    if len(source) > MAX_SOURCE:
        return _wrong(f"the MJML is longer than {MAX_SOURCE} characters")
    mark = "zq"
    while mark in source:
        mark += "q"
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"{mark}{len(kept) - 1}x"

    guarded = _KEEP.sub(keep, source)
    if (depth := _depth(guarded)) < 0:
        return _wrong("an element or comment is not closed")
    if depth > MAX_DEPTH:
        return _wrong(f"elements are nested more than {MAX_DEPTH} levels deep")
    try:
        made = mjml.mjml2html(guarded)
    except ValueError as error:
        return _wrong(str(error), source)
    except BaseException as error:  # a panic of the library is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return _wrong(f"the MJML cannot be compiled: {type(error).__name__}")
    html = re.sub(rf"{mark}(\d+)x", lambda m: kept[int(m[1])], made)
    return html if len(html) <= MAX_HTML else _wrong(f"the HTML is longer than {MAX_HTML} characters")


def _depth(source: str) -> int:
    """How deep elements stand inside each other, -1 when one does not end. An element counts until its own end comes: that errs on the safe side."""
    open_names: list[str] = []
    deepest = 0
    start = _START.search(source)
    while start is not None:
        match = _MARKUP.match(source, start.start())
        if match is None:
            return -1
        name = match[2]
        if name and match[1]:
            if open_names and open_names[-1] == name:
                open_names.pop()
        elif name and not match[0].endswith("/>") and name.lower() not in _VOID:
            open_names.append(name)
            deepest = max(deepest, len(open_names))
        start = _START.search(source, match.end())
    return deepest


def _wrong(text: str, source: str = "") -> TemplateError:
    found = _PLACE.search(text)
    return TemplateError(text, Place(1, 1, source[:40] if found else ""), is_syntax=True)
