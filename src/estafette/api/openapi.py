"""Makes the OpenAPI 3.1 file out of the table of operations and the types. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from estafette.api.operations import Operation, Parameter
from estafette.api.rest.paths import rest_paths
from estafette.api.rest.resource import Resource

VERSION: Final = "3.1.0"
_REFERENCE: Final = "#/components/schemas/{name}"
_ABOUT: Final = "Works with the clients of Mailjet's API. Property and query names are matched whatever their case."
_MEANINGS: Final = {
    200: "Done; what was sent is on stable storage.", 202: "It will be done.", 204: "Done.", 400: "Not acceptable.",
    403: "An author that the account may not use.",
    503: "Not now.",
}  # fmt: skip


def openapi(operations: Sequence[Operation], public_url: str, resources: Iterable[Resource] = ()) -> bytes:
    """The file as JSON: the operations, and those of REST v3 that its resources make."""
    types = list({id(shape): shape for operation in operations for shape in _shapes_of(operation)}.values())
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    named = {id(shape): schema for shape, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, object]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, named)
    of_rest, rows = rest_paths(resources)
    return msgspec.json.encode({
        "openapi": VERSION,
        "info": {"title": "Estafette", "version": "1", "description": _ABOUT},
        "servers": [{"url": public_url}],
        "paths": paths | of_rest,
        "components": {"schemas": components | rows, "securitySchemes": {"key": {"type": "http", "scheme": "basic", "description": "API key and secret."}}},
        "security": [{"key": []}],
    })  # fmt: skip


def _shapes_of(operation: Operation) -> list[object]:
    given = [operation.body, operation.problem, *(shape for _, shape in operation.answers)]
    return [shape for one in given for shape in (one if isinstance(one, tuple) else (one,)) if shape is not None and shape is not bytes]


def _operation(operation: Operation, named: dict[int, dict[str, Any]]) -> dict[str, object]:
    made: dict[str, object] = {
        "summary": operation.title,
        "operationId": f"{operation.method} {operation.path}",
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": _answers(operation, named),
    }
    if operation.text:
        made["description"] = operation.text
    if operation.is_open:
        made["security"] = []
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": {operation.body_type: {"schema": _schema(operation.body, named)}}}
    return made


def _parameter(parameter: Parameter) -> dict[str, object]:
    schema: dict[str, Any] = msgspec.json.schema(parameter.type)
    schema.pop("$schema", None)
    made = {"name": parameter.name, "in": parameter.place, "description": parameter.text, "required": parameter.is_required or parameter.place == "path"}
    return made | {"schema": {"type": "array", "items": schema} if parameter.is_repeated else schema}


def _answers(operation: Operation, named: dict[int, dict[str, Any]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for status, shape in operation.answers:
        made[str(status)] = {"description": _MEANINGS[status]} | ({} if shape is None else _content(_schema(shape, named)))
    if not operation.is_open:
        made.setdefault("401", {"description": "No or wrong credentials. On /v3 with an empty body."})
        made["default"] = {"description": "Refused as a whole, or not now."} | _content(_schema(operation.problem, named))
    return made


def _schema(shape: object, named: dict[int, dict[str, Any]]) -> dict[str, Any]:
    if isinstance(shape, tuple):
        return {"anyOf": [_schema(one, named) for one in shape]}
    return {"type": "string"} if shape is bytes else named[id(shape)]


def _content(schema: dict[str, Any]) -> dict[str, object]:
    return {"content": {"application/json": {"schema": schema}}}
