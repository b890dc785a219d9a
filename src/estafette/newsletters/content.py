"""What a newsletter's HTML may be made from: Markdown, MJML, a page with style sheets. Pure; tags of the template language come through untouched.

Tags travel as placeholders: `{{…}}` as a word that no renderer changes, `{%…%}` between elements as a comment, which may stand even between the rows
of a table.
"""

import re
from typing import Final

import css_inline
from markdown_it import MarkdownIt

from estafette.prepare.template.mjml import to_html
from estafette.prepare.template.running import TemplateError

MAX_SOURCE: Final = 2_000_000
_TAG: Final = re.compile(r"\{\{(?:[^{}]|\}(?!\})|\{(?!\{)){0,2000}\}\}|\{%(?:[^%{]|%(?!\})|\{(?!%)){0,2000}%\}|\[\[[^\[\]<>]{1,300}\]\]")
_PLACE: Final = re.compile(r"<[^<>]*>|" + _TAG.pattern)
_STYLE: Final = "font-family: sans-serif; line-height: 1.5; max-width: 40em"


class ContentError(ValueError):
    """What was given cannot become HTML; the text says why."""


class _Kept:
    """Tags taken out of a text and put back into what was made of it."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_SOURCE:
            raise ContentError(f"it is longer than {MAX_SOURCE} characters")
        self._mark = "zq"
        while self._mark in text:
            self._mark += "q"
        self._tags: list[str] = []

    def word(self, match: re.Match[str]) -> str:
        """A placeholder that is a word."""
        self._tags.append(match[0])
        return f"{self._mark}{len(self._tags) - 1}x"

    def place(self, match: re.Match[str]) -> str:
        """A placeholder that suits the place: in a start tag a word, between elements a comment for what only steers."""
        if match[0].startswith("<"):
            return _TAG.sub(self.word, match[0])
        return f"<!--{self.word(match)}-->" if match[0].startswith("{%") else self.word(match)

    def back(self, made: str) -> str:
        """With the tags in their places."""
        return re.sub(f"<!--{self._mark}(\\d+)x-->|{self._mark}(\\d+)x", lambda m: self._tags[int(m[1] or m[2])], made)


def from_markdown(text: str) -> str:
    """A whole page from CommonMark with tables. HTML in it is kept as it stands."""
    kept = _Kept(text)
    body = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(_TAG.sub(kept.word, text))
    return kept.back(f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body style="{_STYLE}">\n{body}</body></html>\n')


def from_mjml(text: str) -> str:
    """Raises ContentError."""
    made = to_html(text)
    if isinstance(made, TemplateError):
        raise ContentError(str(made))
    return made


def with_inline_styles(html: str) -> str:
    """Rules of the style sheets in the page as `style` attributes, as mail programs need them; nothing is loaded from elsewhere. Raises ContentError."""
    kept = _Kept(html)
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=True, keep_link_tags=True)
    try:
        return kept.back(inliner.inline(_PLACE.sub(kept.place, html)))
    except css_inline.InlineError as error:
        raise ContentError(f"its style sheet cannot be read: {error}") from error
