"""The older personalisation, which needs no template language: `[[var:name]]`, `[[var:name:"default"]]`, and the same with `data:` (contract 6.5). Pure.

What has neither a value nor a default becomes empty: there is nobody to tell.
"""

import re
from typing import Final

from estafette.prepare.template.running import MAX_OUTPUT, Failed, Json, Value
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
        value: Value = dict(var if match[1] == "var" else data)
        for step in match[2].split("."):
            value = value.get(step) if isinstance(value, dict) else None
        try:
            text = printed(value)
        except Failed:
            text = ""
        if value is None:
            text = match[3] or match[4] or match[5] or ""
        room -= len(text)
        return text if room >= 0 else ""

    return _TAG.sub(filled, source) if has_legacy_tags(source) else source
