"""Compiled templates by their source: each is compiled once as long as it is in use. Holds no more than a fixed number of characters."""

from collections import OrderedDict
from typing import Final

from estafette.prepare.template.compiling import Compiled, compile_template
from estafette.prepare.template.mjml import to_html
from estafette.prepare.template.running import Halted, TemplateError

MAX_HELD: Final = 4_000_000
"""Characters of source; the closures of them take some ten times as many octets."""
MAX_PAGES: Final = 16
"""Pages made of MJML, a few hundred kilobytes each at most."""
_ENTRY: Final = 500  # what an empty one costs


class Library:
    """One per process; several threads may use it."""

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self._found: OrderedDict[tuple[str, bool], Compiled | TemplateError] = OrderedDict()
        self._html: OrderedDict[str, str | TemplateError] = OrderedDict()
        self._room = max_held

    def html_of(self, mjml: str) -> str | TemplateError:
        """The HTML of an MJML source, or why there is none."""
        found = self._html.get(mjml)
        if found is None:
            found = self._html[mjml] = to_html(mjml)
            for oldest in list(self._html)[:-MAX_PAGES]:
                self._html.pop(oldest, None)
        return found

    def get(self, source: str, *, is_html: bool = False) -> Compiled | TemplateError:
        """The compiled template, or why it cannot be read."""
        key = (source, is_html)
        found = self._found.pop(key, None)
        if found is not None:
            self._found[key] = found  # the most recently used stands last
            return found
        try:
            found = compile_template(source, is_html=is_html)
        except Halted as halted:
            found = halted.error
        cost = len(source) + _ENTRY
        for oldest in list(self._found):  # not `popitem` in a loop: another thread may use what is oldest at this moment
            if cost <= self._room:
                break
            if self._found.pop(oldest, None) is not None:
                self._room += len(oldest[0]) + _ENTRY
        if cost <= self._room and self._found.setdefault(key, found) is found:
            self._room -= cost
        return found

    def has(self, source: str, *, is_html: bool = False) -> bool:
        """Whether it is compiled already."""
        return (source, is_html) in self._found
