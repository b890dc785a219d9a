"""The OpenAPI file says what the program does."""

import ast
from pathlib import Path

import msgspec
import pytest
from selectolax.lexbor import LexborHTMLParser

from estafette.api import shapes
from estafette.api.app import make_app
from estafette.api.openapi import openapi
from estafette.api.operations import OPERATIONS
from tests.api.conftest import Api, call, mail

API = Path(__file__).parents[2] / "src" / "estafette" / "api"


async def test_it_is_served_without_a_key(api: Api) -> None:
    client = api.client()
    file = await client.get("/v1/estafette/openapi.json")
    assert (file.status_code, file.headers["content-type"]) == (200, "application/json")
    described = file.json()
    assert (described["openapi"], described["servers"]) == ("3.1.0", [{"url": "https://mail.acme.test"}])
    page = await client.get("/v1/estafette/reference")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    tree = LexborHTMLParser(page.text)
    anchors = {node.attributes["id"] for node in tree.css("h2")}
    assert {str(node.attributes["href"])[1:] for node in tree.css("li a")} == anchors
    assert len(anchors) == len(OPERATIONS)
    assert tree.css("script") == []


def test_every_reference_leads_somewhere() -> None:
    described = openapi(OPERATIONS, "http://x")
    components = msgspec.json.decode(described)["components"]["schemas"]
    wanted = {part.split('"')[0] for part in described.decode().split("#/components/schemas/")[1:]}
    assert wanted == wanted & set(components)
    assert {"SendCall", "Message", "Person", "SendAnswer", "OlderMessage", "Problem"} <= set(components)


def test_every_route_of_its_own_is_described(api: Api) -> None:
    app = make_app(api.store, api.keeper, api.door, api.clock, public_url="http://x", max_body_bytes=1, is_closing=lambda: False)
    routes = {(method, route.path) for route in app.routes for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
    described = {(o.method, o.path) for o in OPERATIONS}
    assert described <= routes
    ours = {r for r in routes if r[1].startswith(("/v3.1/", "/v3/send", "/v1/estafette/"))}
    assert ours - described == {("GET", "/v1/estafette/openapi.json"), ("GET", "/v1/estafette/reference")}


def strings_of(*names: str) -> set[str]:
    """Every text that stands in these files."""
    return {n.value for name in names for n in ast.walk(ast.parse((API / name).read_text("utf-8"))) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


@pytest.mark.parametrize("shape", [shapes.SendCall, shapes.Message, shapes.Person, shapes.Attachment, shapes.InlinedAttachment])
def test_the_readers_know_every_property(shape: type[msgspec.Struct]) -> None:
    known = {text.lower() for text in strings_of("send_call.py", "send_rules.py", "fields.py", "attachments.py", "send_v3.py")}
    assert [name for name in shape.__struct_fields__ if name.lower() not in known] == []


def test_the_readers_of_the_older_form_know_every_property() -> None:
    known = strings_of("send_v3.py")
    plain = {text.lower().replace("-", "") for text in known}
    assert [name for name in shapes.OlderMessage.__struct_fields__ if name.lower().replace("_", "") not in plain] == []


def test_every_property_that_is_read_is_described() -> None:
    tree = ast.parse((API / "send_rules.py").read_text("utf-8"))
    read = {n.args[0].value for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and isinstance(n.func.value, ast.Name)
            and n.func.value.id == "fields" and n.args and isinstance(n.args[0], ast.Constant)}  # fmt: skip
    assert len(read) > 15
    assert read - set(shapes.Message.__struct_fields__) == set()


async def test_the_answers_are_of_their_types(api: Api) -> None:
    """Strict: nothing is missing, nothing is of another type."""
    answer = await api.post(call(mail(CustomID="c", Cc=[{"Email": "b@example.net"}]), mail(To=[])))
    first, second = msgspec.json.decode(answer.content, type=shapes.SendAnswer).Messages
    assert (first.Status, first.CustomID, len(first.To), len(first.Cc)) == ("success", "c", 1, 1)
    assert (second.Status, second.Errors[0].ErrorCode) == ("error", "mj-0007")
    rows = msgspec.json.decode((await api.get("/v3/REST/message")).content, type=shapes.MessageList)
    assert first.To[0].MessageID == rows.Data[0].ID
    refused = await api.get("/v3/REST/message/9")
    assert msgspec.json.decode(refused.content, type=shapes.OlderProblem).StatusCode == 404
