"""A resource's description in the words of `metadata` (contract 5.1) and of docs/reference/rest.md. Pure."""

from collections.abc import Sequence
from typing import Final

from estafette.api.rest.resource import Action, Filter, Property, Resource, Row

_HEAD: Final = """# REST v3: resources

<!-- Made by `python -m estafette.cli.reference docs/reference`; a test fails when it is not up to date. -->

`/v3/REST/{resource}[/{id or key}[/{action}[/{action id}]]]` with HTTP Basic, key and secret. Names of resources, actions, filters and properties are
read in any case.

| | |
|---|---|
| answer | `{"Count": n, "Data": [...], "Total": n}`; a single row is a list of one |
| `Limit`, `Offset` | 10 rows by default, at most 1000; `Limit=0` means 1000 |
| `Sort` | `Property`, `Property+DESC`, `Property+ASC`; only the properties that a resource names |
| `countOnly=1` | no rows, the true totals; `countRecords=1`: rows and the true total |
| filters | all must hold; of a repeated name the first counts; unknown names are passed over |
| dates | RFC 3339 in UTC, `""` when unset; accepted with and without zone, or as Unix seconds |
| POST | 201 with the row. PUT: 200 with the row, 304 when nothing changed; what is not given stays. DELETE: 204 |
| errors | 400 `Object properties invalid`, the properties in `ErrorInfo`; 404 `Object not found`; 405; 429 with `Retry-After`; always a JSON body |

`GET /v3/REST/metadata` tells the same to programs. Read-only properties in a request are passed over; ✎ marks what can be given on
creation, ✎✎ what can be changed later.
"""


def describe(resource: Resource) -> Row:
    """The row of `metadata`."""
    return {
        "Actions": [_action(one) for one in resource.actions],
        "Description": resource.about,
        "Filters": [_filter(one) for one in resource.filters],
        "IsReadOnly": resource.verbs == ("GET",),
        "Name": resource.name,
        "PrivateOperations": "",
        "Properties": [_property(one) for one in resource.properties],
        "PublicOperations": ", ".join(verb.capitalize() for verb in resource.verbs),
        "SortInfo": [{"AllowDescending": True, "PropertyName": name} for name in resource.sorts],
        "UniqueKey": resource.key,
    }


def _property(one: Property) -> Row:
    return {
        "DataType": one.kind.value, "DefaultValue": one.default, "Description": one.about, "IsRequired": one.is_required, "Name": one.name,
        "ReadOnly": one.is_read_only,
    }  # fmt: skip


def _filter(one: Filter) -> Row:
    return {"DataType": one.kind.value, "DefaultValue": "", "Description": one.about, "IsRequired": one.is_required, "Name": one.name, "ReadOnly": False}


def _action(one: Action) -> Row:
    return {"Name": one.name, "Description": one.about, "Methods": ", ".join(one.verbs), "Properties": [_property(p) for p in one.properties]}


def page(resources: Sequence[Resource], absent: Sequence[tuple[str, str]]) -> str:
    """The reference page."""
    parts = [_HEAD]
    for resource in sorted(resources, key=lambda r: r.name):
        parts.append(f"## {resource.name}\n\n{resource.about}\n")
        if resource.note:
            parts.append(f"{resource.note}\n")
        sorts = ", ".join(resource.sorts)
        facts = (", ".join(resource.verbs) or "actions only", f"key: {resource.key}" * bool(resource.key), f"sort: {sorts}" * bool(sorts))
        parts.append(" · ".join(fact for fact in facts if fact) + "\n")
        parts.append("| property | type | |\n|---|---|---|\n" + "\n".join(_property_line(one) for one in resource.properties) + "\n")
        if resource.filters:
            parts.append("| filter | type | |\n|---|---|---|\n" + "\n".join(_filter_line(one) for one in resource.filters) + "\n")
        if resource.actions:
            parts.append("| action | methods | |\n|---|---|---|\n" + "\n".join(_action_line(one) for one in resource.actions) + "\n")
    gone = "\n".join(f"| {name} | {why} |" for name, why in absent)
    parts.append(f"## What there is not\n\nThese answer as unknown resources do: 400 `Unknown resource: \"…\"`.\n\n| resource | |\n|---|---|\n{gone}\n")
    return "\n".join(parts)


def _property_line(one: Property) -> str:
    mark = " ✎✎" if one.on_update else " ✎" if one.on_create else ""
    about = one.about + _choices(one.choices) + " Mandatory." * one.is_required
    return f"| `{one.name}`{mark} | {one.kind.value} | {about.strip()} |"


def _choices(choices: Sequence[str]) -> str:
    return f" One of {', '.join(choices)}." if choices else ""


def _filter_line(one: Filter) -> str:
    about = one.about + _choices(one.choices) + " Several, with commas." * one.is_several + " Mandatory." * one.is_required
    return f"| `{one.name}` | {one.kind.value} | {about.strip()} |"


def _action_line(one: Action) -> str:
    given = f" Takes {', '.join(p.name for p in one.properties)}." if one.properties else ""
    return f"| `{'' if one.on_all else '{id}/'}{one.name}` | {', '.join(one.verbs)} | {one.about}{given} |"
