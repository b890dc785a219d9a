"""French is complete and compiled, and no page prints a number or a percent sign that the formats did not make."""

import hashlib
import io
import re

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo

from estafette.web import words
from estafette.web.rendering import environment


def table(catalog: Catalog) -> dict[tuple[str | None, str | tuple[str, ...]], str | tuple[str, ...]]:
    """(context, id) → text; plural forms as tuples."""

    def frozen(value: str | list[str] | tuple[str, ...] | None) -> str | tuple[str, ...]:
        return value if isinstance(value, str) else tuple(value or ())

    return {(m.context, frozen(m.id)): frozen(m.string) for m in catalog if m.id}


TEMPLATES = sorted((words.HERE.parent / "templates").glob("*.html"))
PLACES = re.compile(r"%\((\w+)\)s")


def test_every_text_is_translated_and_none_is_left_over() -> None:
    found, known = set(table(words.extracted())), table(words.read())
    assert found - set(known) == set(), "run: python -m estafette.web.words, then translate what is empty in fr.po"
    assert set(known) - found == set(), "run: python -m estafette.web.words"
    assert [key for key, text in known.items() if not (text if isinstance(text, str) else all(text))] == []
    assert len(found) > 400


def test_translations_keep_the_places_for_values() -> None:
    wrong = []
    for (_, source), text in table(words.read()).items():
        wanted = set(PLACES.findall(source if isinstance(source, str) else source[0]))
        wrong += [(source, one) for one in ([text] if isinstance(text, str) else text) if set(PLACES.findall(one)) != wanted]
    assert wrong == []


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    compiled = read_mo(io.BytesIO((words.HERE / "fr.mo").read_bytes()))
    assert table(compiled) == table(words.read())


def test_every_template_can_be_read() -> None:
    for path in TEMPLATES:
        environment("fr").get_template(path.name)


def test_templates_hold_no_text_outside_of_the_catalogue() -> None:
    """Words between tags, attributes that people hear or see: all go through `_()`. Names that are the same in both languages are listed."""
    same = {"Estafette", "SMTP", "HTTP", "CSV", "JSON", "UTC", "HTML", "DKIM", "SPF", "DMARC", "Markdown", "MJML"}
    left = []
    for path in TEMPLATES:
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", path.read_text(), flags=re.S)
        text = re.sub(r'[\w-]+="[^"]*"', " ", text)
        for words_ in re.findall(r">([^<>]+)<", text):
            left += [(path.name, word) for word in re.findall(r"[^\W\d_]{2,}", re.sub(r"&\w+;", " ", words_)) if word not in same]
    assert left == []


def test_templates_hold_no_style_and_no_script() -> None:
    """The policy of the pages allows neither."""
    for path in TEMPLATES:
        text = path.read_text()
        assert not re.search(r'\sstyle="|<style|\son\w+="|hx-on|javascript:', text), path.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path.name
        assert not re.search(r"\|\s*safe\b", text), path.name


def test_percent_signs_come_from_the_formats_alone() -> None:
    for path in TEMPLATES:
        text = re.sub(r"\{%|%\}", "", path.read_text())
        assert not re.search(r"\}\}\s*%", text), path.name


def test_vendored_files_are_those_that_were_published() -> None:
    folder = words.HERE.parent / "static"
    told = dict(reversed(line.split()) for line in (folder / "vendored.txt").read_text().splitlines() if re.match(r"[0-9a-f]{64} ", line))
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in told} == told
    assert set(told) == {"htmx.js", "uplot.js", "uplot.css"} and all((folder / f"{name.split('.')[0]}.LICENSE").exists() for name in told)
