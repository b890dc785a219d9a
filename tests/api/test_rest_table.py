"""Every resource of the table: what it says of itself is what it does, and no request makes it fail."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from estafette.api.rest import table
from estafette.api.rest.reading import read_date
from estafette.api.rest.resource import Resource
from tests.api.conftest import SECRET, Api, call, mail

ALL = sorted(table.ALL, key=lambda one: one.name)
HOSTILE = ["", " ", "x", "-1", "0", "1,2", "99999999999999999999", "1e9", "true", "2026-13-45", "a@b@c", "'; DROP TABLE contact; --", "%", "\0", "\ud7ff",
           "é" * 50,
           "x" * 5000, "*@x.test", "1970-01-01", "NaN", "null", "[]"]  # fmt: skip
BODIES: list[Any] = [None, [], {}, "x", 7, {"a": {"b": [1, None]}}, {"Name": None}, {"Name": "\0"}, [1, 2]]
VALUES: list[Any] = [None, "", "x", "\0", -1, 0, 2**63, 1.5, True, [], [[]], [None], ["x"], [{}], [{"Name": []}], {}, {"x": {}}, "a@b@c", "é" * 3000]


async def filled(api: Api) -> None:
    """Some of everything."""
    await api.post(call(mail(CustomID="c", CustomCampaign="Spring")))
    for path, body in (
        ("contactslist", {"Name": "News"}), ("contactmetadata", {"Name": "age", "Datatype": "int"}), ("contactfilter", {"Name": "S", "Expression": "(age>1)"}),
        ("contactslist/1/managecontact", {"Email": "jo@example.net", "Action": "addforce", "Properties": {"age": 3}}),
        ("contact/managemanycontacts", {"Contacts": [{"Email": "al@example.net"}]}),
        ("campaigndraft", {"Locale": "en", "Sender": "A", "SenderEmail": "a@acme.test", "Subject": "S", "ContactsListID": 1}),
    ):  # fmt: skip
        assert (await api.rest("POST", path, body)).status_code == 201


async def checked(api: Api, method: str, path: str, **options: Any) -> int:
    """An answer that is one: no 500, JSON where there is a body, an error that says what it is."""
    answer = await api.served().request(method, f"/v3/REST/{path}", auth=(api.key, SECRET), **options)
    assert answer.status_code < 500, (method, path, options, answer.text)
    if answer.status_code in (204, 304):
        assert answer.content == b""
    elif answer.status_code < 300:
        body = answer.json()
        assert sorted(body) == ["Count", "Data", "Total"]
    else:
        body = answer.json()
        assert body["StatusCode"] == answer.status_code and body["ErrorMessage"] and body["ErrorIdentifier"], (path, options, body)
    return answer.status_code


def test_every_name_is_given_once() -> None:
    assert len(table.RESOURCES) == len(ALL) >= 39


@pytest.mark.parametrize("resource", ALL, ids=lambda one: one.name)
def test_a_description_holds_together(resource: Resource) -> None:
    names = [one.name for one in resource.properties]
    assert len({name.lower() for name in names}) == len(names)
    assert len({one.name.lower() for one in resource.filters}) == len(resource.filters)
    assert set(resource.sorts) <= set(names)
    assert bool(resource.create) == any(one.on_create for one in resource.properties)
    assert bool(resource.update) == any(one.on_update for one in resource.properties)
    assert all(one.verbs for one in resource.actions)
    assert resource.verbs or resource.actions


@pytest.mark.parametrize("resource", ALL, ids=lambda one: one.name)
async def test_rows_are_as_described_and_metadata_says_so(api: Api, resource: Resource) -> None:
    await filled(api)
    described = (await api.get(f"/v3/REST/metadata/{resource.name.upper()}")).json()["Data"][0]
    assert described["Name"] == resource.name and [one["Name"] for one in described["Properties"]] == [one.name for one in resource.properties]
    if resource.many is None or any(one.is_required for one in resource.filters):
        return
    rows = (await api.get(f"/v3/REST/{resource.name}")).json()["Data"]
    for row in rows:
        assert set(row) == {one.name for one in resource.properties}
    if rows and resource.one is not None and "ID" in rows[0]:
        one = (await api.get(f"/v3/REST/{resource.name}/{rows[0]['ID']}")).json()["Data"][0]
        assert set(one) == set(rows[0]) and one["ID"] == rows[0]["ID"]
    counted = (await api.get(f"/v3/REST/{resource.name}", countOnly="1")).json()
    assert counted["Data"] == []


async def ask_for_lists(api: Api, resource: Resource, values: Sequence[str] = HOSTILE) -> None:
    """Every filter and every key with hostile values."""
    names = [one.name for one in resource.filters] + ["Limit", "Offset", "Sort", "countOnly", "countRecords"]
    needed = {one.name: "1" for one in resource.filters if one.is_required}
    for name, value in itertools.product(names, values):
        await checked(api, "GET", resource.name, params=needed | {name: value})
    for key in values:
        await checked(api, "GET", f"{resource.name}/{key.replace('%', '%25')[:900]}".replace("\0", "%00"))


@pytest.mark.parametrize("resource", [one for one in ALL if "GET" in one.verbs], ids=lambda one: one.name)
async def test_hostile_filters_and_sorts(api: Api, resource: Resource) -> None:
    await filled(api)
    await ask_for_lists(api, resource)
    needed = {one.name: "1" for one in resource.filters if one.is_required}
    for sort, direction in itertools.product(resource.sorts, ("", " ASC", " DESC", "+DESC", " SIDEWAYS")):
        status = await checked(api, "GET", resource.name, params=needed | {"Sort": sort + direction})
        assert (status == 400) is (direction in ("+DESC", " SIDEWAYS")), (sort, direction)


async def test_hostile_filters_on_the_other_database(api_on_postgres: Api) -> None:
    await filled(api_on_postgres)
    for resource in ALL:
        if "GET" in resource.verbs:
            await ask_for_lists(api_on_postgres, resource, HOSTILE[::5])


@pytest.mark.parametrize("resource", [one for one in ALL if one.create or one.update or one.delete or one.actions], ids=lambda one: one.name)
async def test_hostile_bodies(api: Api, resource: Resource) -> None:
    await filled(api)
    calls = [(verb, resource.name if verb == "POST" else f"{resource.name}/1", resource.properties) for verb in resource.verbs if verb != "GET"]
    for action in resource.actions:
        path = f"{resource.name}/{action.name}" if action.on_all else f"{resource.name}/1/{action.name}"
        calls += [(verb, path, action.properties) for verb in action.verbs]
        assert await checked(api, "GET", f"{resource.name}/1/{action.name}/x/y") in (400, 404, 405)
    for verb, path, properties in calls:
        if verb in ("GET", "DELETE"):
            continue
        for body in BODIES:
            await checked(api, verb, path, json=body)
        await checked(api, verb, path, content=b"{")
        await checked(api, verb, path, content=b'{"Name": ' + b"[" * 5000 + b"]" * 5000 + b"}")
        for one in properties:
            for value in VALUES:
                await checked(api, verb, path, json={other.name: "1" for other in properties if other.is_required} | {one.name: value})


@pytest.mark.parametrize(("value", "at_s"), [("2020-09-16T10:35:56Z", 1_600_252_556), ("2020-09-16T10:35:56", 1_600_252_556), (1_600_252_556, 1_600_252_556),
                                             ("1600252556", 1_600_252_556), ("2020-09-16T12:35:56+02:00", 1_600_252_556),
                                             ("2020-09-16T12:35:56 02:00", 1_600_252_556), ("2020-09-16", 1_600_214_400)])  # fmt: skip
def test_dates(value: object, at_s: int) -> None:
    assert read_date(value) == at_s * 1_000_000


async def test_what_a_key_may_do(api: Api) -> None:
    await api.another("x", "key9")
    [key] = [one for one in await api.store.identities.keys(api.account.id) if one.key == "key1"]
    for scopes, get, post, send in ((("read",), 200, 403, 403), (("manage",), 403, 201, 403), (("send",), 403, 403, 200), ((), 200, 201, 200)):
        await api.store.identities.change_key(replace(key, scopes=scopes))
        api.clock.advance(20)
        assert (await api.get("/v3/REST/contactslist")).status_code == get
        assert (await api.rest("POST", "contactslist", {"Name": f"L{scopes}"})).status_code == post
        assert (await api.post(call(mail()))).status_code == send
    await api.store.identities.change_key(replace(key, networks=("198.51.100.0/24",)))
    api.clock.advance(20)
    assert (await api.get("/v3/REST/contactslist")).status_code == 401
    await api.store.identities.change_key(replace(key, networks=("198.51.100.0/24", "192.0.2.0/24"), rate_per_s=2))
    api.clock.advance(20)
    assert [(await api.get("/v3/REST/contactslist")).status_code for _ in range(3)] == [200, 200, 429]
    limited = await api.get("/v3/REST/contactslist")
    assert (limited.status_code, limited.headers["retry-after"], limited.json()["StatusCode"]) == (429, "1", 429)
