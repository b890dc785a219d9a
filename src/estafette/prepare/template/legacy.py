"""The older personalisation, which needs no template language: `[[var:name]]`, `[[var:name:"default"]]`, and the same with `data:` (contract 6.5). Pure.

What has neither a value nor a default becomes empty: there is nobody to tell.
"""

import re
from collections.abc import Iterator
from typing import Final

from estafette.prepare.template.running import MAX_OUTPUT, Execute, Failed, Json, Printed, Told, Value
from estafette.prepare.template.values import printed

_TAG: Final = re.compile(r"""\[\[(var|data):([^\W]\w*(?:[-.]\w+)*)(?::(?:"([^"\]]*+)"|&quot;([^\]"&]*+)&quot;|([^"\]\s]*+)))?\]\]""")


def has_legacy_tags(source: str) -> bool:
    """A quick look before the work."""
    return "[[var:" in source or "[[data:" in source


def fill_legacy(source: str, var: Json, data: Json) -> str:
    """The text with its tags filled. What would make it longer than a template may become is left out."""
    room = MAX_OUTPUT

    def filled(match: re.Match[str]) -> str:
        nonlocal room
        text = _filled(match, var, data)
        room -= len(text)
        return text if room >= 0 else ""

    return _TAG.sub(filled, source) if has_legacy_tags(source) else source


def split_legacy(source: str) -> Iterator[str | Execute]:
    """The text with a piece of a template in the place of each tag: what a value says is never read as a tag."""
    kept_from = 0
    for match in _TAG.finditer(source) if has_legacy_tags(source) else ():
        yield source[kept_from : match.start()]
        yield _piece(match)
        kept_from = match.end()
    yield source[kept_from:]


def _piece(match: re.Match[str]) -> Execute:
    return lambda run: run.write(_filled(match, run.facts.var, run.facts.data))


def _filled(match: re.Match[str], var: Json, data: Json) -> Printed:
    value: Value = dict(var if match[1] == "var" else data)
    for step in match[2].split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if value is None:
        return Printed(match[3] or match[4] or match[5] or "")
    try:
        return (Told if match[1] == "data" else Printed)(printed(value))
    except Failed:
        return Printed("")
