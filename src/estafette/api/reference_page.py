"""The reference page for people: the same table as the OpenAPI file, as one HTML page without a script. Pure."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any, Final

import msgspec

from estafette.api.operations import Operation

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "h2{margin-top:3rem;border-top:1px solid #ccc;padding-top:1rem}code,.m{font-family:ui-monospace,monospace;font-size:.9em}"
    ".m{background:#e8f0e8;border-radius:.3rem;padding:.1rem .4rem;margin-right:.5rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;border-bottom:1px solid #ddd;padding:.3rem .6rem}"
    "@media(prefers-color-scheme:dark){body{background:#181a1b;color:#e8e6e3}.m{background:#2a3a2a}h2,td,th{border-color:#444}a{color:#8ab4f8}}"
)


def reference_page(operations: Sequence[Operation]) -> str:
    """The whole page."""
    entries = "".join(_operation(operation) for operation in operations)
    index = "".join(f'<li><a href="#{_anchor(o)}">{_name(o)}</a> {escape(o.title)}</li>' for o in operations)
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Estafette API</title>'
        f"<style>{_STYLE}</style><h1>Estafette API</h1><p>HTTP Basic: API key and secret. Names are matched whatever their case. "
        f'<a href="openapi.json">openapi.json</a></p><ul>{index}</ul>{entries}</html>'
    )


def _name(operation: Operation) -> str:
    return f'<span class="m">{operation.method}</span><code>{escape(operation.path)}</code>'


def _anchor(operation: Operation) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{operation.method}{operation.path}".lower()).strip("-")


def _operation(operation: Operation) -> str:
    made = [f'<h2 id="{_anchor(operation)}">{_name(operation)}</h2><p>{escape(operation.title)}. {escape(operation.text)}</p>']
    if operation.parameters:
        made.append(_table("Parameters", [(p.name, p.place, p.text) for p in operation.parameters]))
    if operation.body is not None and operation.body is not bytes:
        made += _shapes("Body", operation.body)
    for status, shape in operation.answers:
        if shape is not None and status == 200:
            made += _shapes(f"Answer {status}", shape)
    return "".join(made)


def _shapes(title: str, shape: object) -> list[str]:
    """A table for the type itself, and one for every type in it."""
    (_,), components = msgspec.json.schema_components([shape])
    first = getattr(shape, "__name__", "")
    names = sorted(components, key=lambda name: name != first)
    return [_table(f"{title}: {name}" if name == first else name, _rows(components[name])) for name in names]


def _rows(schema: dict[str, Any]) -> list[tuple[str, str, str]]:
    required = schema.get("required", [])
    given = schema.get("properties", {}).items()
    return [(name, _type(prop), ("needed. " if name in required else "") + prop.get("description", "")) for name, prop in given]


def _type(prop: dict[str, Any]) -> str:
    """In words: "string, at most 255", "array of Person"."""
    if "$ref" in prop:
        return str(prop["$ref"]).rsplit("/", 1)[1]
    if "anyOf" in prop:
        return " or ".join(text for one in prop["anyOf"] if (text := _type(one)) != "null")
    if "enum" in prop:
        return ", ".join(str(value) for value in prop["enum"])
    kind = str(prop.get("type", "any"))
    if kind == "array":
        kind = f"array of {_type(prop.get('items', {}))}"
    limits = [f"{word} {prop[key]}" for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"), ("maxItems", "at most")) if key in prop]
    return ", ".join([kind, *limits])


def _table(caption: str, rows: Sequence[tuple[str, str, str]]) -> str:
    body = "".join(f"<tr><td><code>{escape(name)}</code><td>{escape(kind)}<td>{escape(text)}" for name, kind, text in rows)
    return f"<h3>{escape(caption)}</h3><table>{body}</table>"
