"""The resources of REST v3 as paths of the OpenAPI file: made from the same descriptions as routes, validation and `metadata`. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from estafette.api.rest.resource import Action, Filter, Kind, Property, Resource

ROOT: Final = "/v3/REST"
_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    Kind.INT: {"type": "integer"}, Kind.FLOAT: {"type": "number"}, Kind.STR: {"type": "string"}, Kind.BOOL: {"type": "boolean"},
    Kind.DATE: {"type": "string"}, Kind.ADDRESS: {"type": "string"}, Kind.ADDRESSES: {"type": "string"}, Kind.LIST: {"type": "array"},
    Kind.OBJECT: {"type": "object"}, Kind.ANY: {},
}  # fmt: skip
_REFUSED: Final = {"description": "Refused as a whole, or not now."} | {
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OlderProblem"}}}
}
_NO_KEY: Final = {"description": "No or wrong credentials; an empty body."}
_PAGE: Final = (
    ("Limit", {"type": "integer", "minimum": 0, "maximum": 1000}, "Rows; 10 by default, 0 means 1000."),
    ("Offset", {"type": "integer", "minimum": 0}, "Rows to pass over."),
    ("countOnly", {"type": "boolean"}, "No rows, the true totals."),
    ("countRecords", {"type": "boolean"}, "Rows and the true total."),
)


def rest_paths(resources: Iterable[Resource]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """(paths, schemas of the rows)."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}
    for one in resources:
        row = _row_name(one.name)
        schemas[row] = {"type": "object", "title": row, "properties": {p.name: _shown(p) for p in one.properties}}
        whole, single = f"{ROOT}/{one.name}", f"{ROOT}/{one.name}/{{id}}"
        key = [_in_path("id", f"ID{f' or {one.key}' if one.key and one.key != 'ID' else ''}.")]
        if one.many is not None:
            paths.setdefault(whole, {})["get"] = _operation("GET", whole, one.about, _of_list(one), _list_of(row))
        if one.create is not None:
            body = _given(one.properties, is_creation=True)
            paths.setdefault(whole, {})["post"] = _operation("POST", whole, f"New: {one.about}", [], {"201": _rows(row)}, body)
        if one.one is not None:
            paths.setdefault(single, {})["get"] = _operation("GET", single, one.about, key, {"200": _rows(row)})
        elif one.of_one is not None:
            paths.setdefault(single, {})["get"] = _operation("GET", single, one.about, key + _of_list(one), _list_of(row))
        if one.update is not None:
            answers = {"200": _rows(row), "304": {"description": "Nothing changed."}}
            paths.setdefault(single, {})["put"] = _operation("PUT", single, f"Change: {one.about}", key, answers, _given(one.properties, is_creation=False))
        if one.delete is not None:
            paths.setdefault(single, {})["delete"] = _operation("DELETE", single, f"Delete: {one.about}", key, {"204": {"description": "Done."}})
        for action in one.actions:
            path = f"{whole if action.on_all else single}/{action.name}"
            for verb in action.verbs:
                paths.setdefault(path, {})[verb.lower()] = _of_action(verb, path, action, [] if action.on_all else key)
    return paths, schemas


def _operation(verb: str, path: str, about: str, parameters: Sequence[dict[str, Any]], answers: dict[str, Any], body: object = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": about, "operationId": f"{verb} {path}", "tags": ["REST v3"], "parameters": list(parameters),
        "responses": {**answers, "401": _NO_KEY, "default": _REFUSED},
    }  # fmt: skip
    return made if body is None else made | {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}


def _of_action(verb: str, path: str, action: Action, key: list[dict[str, Any]]) -> dict[str, Any]:
    done = {"description": "Done."}
    body = _given(action.properties, is_creation=verb == "POST") if verb in ("POST", "PUT") else None
    return _operation(verb, path, action.about, key, {"200": done, "201": done, "204": done, "304": done}, body)


def _of_list(one: Resource) -> list[dict[str, Any]]:
    page = [_in_query(name, schema, about) for name, schema, about in _PAGE]
    if one.sorts:
        orders = [f"{name}{order}" for name in one.sorts for order in ("", " DESC", " ASC")]
        page.append(_in_query("Sort", {"type": "string", "enum": orders}, "Property, and its direction after a plus sign."))
    return page + [_filter(f) for f in one.filters]


def _filter(f: Filter) -> dict[str, Any]:
    schema: dict[str, Any] = dict(_TYPES[f.kind]) if not f.is_several else {"type": "string"}
    if f.choices and not f.is_several:
        schema["enum"] = list(f.choices)
    return _in_query(f.name, schema, f.about + " Several, with commas." * f.is_several, is_required=f.is_required)


def _in_query(name: str, schema: dict[str, Any], about: str, *, is_required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": about, "required": is_required, "schema": schema}


def _in_path(name: str, about: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "description": about, "required": True, "schema": {"type": "string", "minLength": 1}}


def _given(properties: Sequence[Property], *, is_creation: bool) -> dict[str, Any]:
    """What a body may hold; names are read in any case, others are passed over."""
    own = [p for p in properties if (p.on_create if is_creation else p.on_update)]
    required = [p.name for p in own if p.is_required] if is_creation else []
    return {"type": "object", "properties": {p.name: _input(p) for p in own}} | ({"required": required} if required else {})


def _input(p: Property) -> dict[str, Any]:
    schema = dict(_TYPES[p.kind]) | ({"description": p.about} if p.about else {})
    if p.kind is Kind.STR:
        schema["maxLength"] = p.max_length
    if p.choices and p.kind is Kind.STR:
        schema["enum"] = list(p.choices)
    return schema


def _shown(p: Property) -> dict[str, Any]:
    return dict(_TYPES[p.kind]) | {"readOnly": p.is_read_only} | ({"description": p.about} if p.about else {})


def _row_name(name: str) -> str:
    return "REST_" + name.replace("/", "_")


def _list_of(row: str) -> dict[str, Any]:
    return {"200": _rows(row)}


def _rows(row: str) -> dict[str, Any]:
    envelope = {
        "type": "object", "required": ["Count", "Data", "Total"],
        "properties": {"Count": {"type": "integer"}, "Data": {"type": "array", "items": {"$ref": f"#/components/schemas/{row}"}}, "Total": {"type": "integer"}},
    }  # fmt: skip
    return {"description": "Done; what was sent is on stable storage.", "content": {"application/json": {"schema": envelope}}}
