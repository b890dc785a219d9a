"""The feed of an account's events and the log of its webhooks' calls, as an account asks for them."""

import pytest

from estafette.nouns import WebhookCall
from tests.api.conftest import SECRET, Api, call, mail


async def test_the_feed_is_read_with_its_cursor_to_the_end(api: Api) -> None:
    for n in range(3):
        await api.post(call(mail(CustomID=f"c{n}")))
    other = await api.another("other", "key2")
    await api.store.add_domain(other.account.id, "acme.test", True, "token", api.clock.now_us())
    await other.post(call(mail()))
    first = (await api.get("/v1/estafette/events", limit="2")).json()
    assert [(e["kind"], e["custom_id"], e["webhook"]) for e in first["Data"]] == [("accepted", "c0", None), ("accepted", "c1", None)]
    rest = (await api.get("/v1/ESTAFETTE/events", After=first["Next"])).json()
    assert [e["custom_id"] for e in rest["Data"]] == ["c2"]
    assert (await api.get("/v1/estafette/events", after=rest["Next"])).json() == {"Count": 0, "Data": [], "Next": rest["Next"]}
    assert [e["custom_id"] for e in (await other.get("/v1/estafette/events")).json()["Data"]] == [""]


@pytest.mark.parametrize("cursor", ["x", "1", "1.", "1.2.3", "-1.2", "1.²", "9" * 40 + ".1", "1.1;--"])
async def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    answer = await api.get("/v1/estafette/events", after=cursor)
    assert answer.status_code == 400
    assert '"after"' in answer.json()["ErrorMessage"]


async def test_an_event_is_told_again_when_somebody_is_told_of_it(api: Api) -> None:
    client = api.client()
    bad = mail(To=[{"Email": "jo@nowhere", "Name": ""}])
    await api.post(call(bad))
    entries = (await api.get("/v1/estafette/events")).json()["Data"]
    (blocked,) = [e["id"] for e in entries if e["kind"] == "blocked"]
    login = (api.key, SECRET)
    assert (await client.post(f"/v1/estafette/events/{blocked}/again", auth=login)).status_code == 409
    hook = await api.store.webhooks.add(api.account.id, "blocked", "https://shop.example/hook", 1, api.clock.now_us())
    assert hook is not None
    assert (await client.post(f"/v1/estafette/events/{blocked}/again", auth=login)).status_code == 202
    (parcel,) = await api.store.webhooks.due([hook.id], api.clock.now_us(), 9, one_per_message=True)
    assert str(parcel.event_id) == blocked
    other = await api.another("other", "key2")
    for path in (f"/v1/estafette/events/{blocked}/again", "/v1/estafette/events/x/again", "/v1/estafette/events/0/again"):
        assert (await client.post(path, auth=(other.key, SECRET))).status_code == 404


async def test_the_log_of_calls(api: Api) -> None:
    made = [WebhookCall(1, api.account.id, "https://a.test/", 1_000_000, code, trouble, 12, (7,), "{}", "no")
            for code, trouble in ((200, ""), (500, "answered 500"))]  # fmt: skip
    await api.store.webhooks.called(made, [], [], [])
    found = (await api.get("/v1/estafette/webhook-calls")).json()
    assert [(row["ID"], row["Status"], row["Trouble"], row["Events"], row["At"]) for row in found["Data"]] == [
        (2, 500, "answered 500", ["7"], "1970-01-01T00:00:01.000Z"), (1, 200, "", ["7"], "1970-01-01T00:00:01.000Z")]  # fmt: skip
    assert [row["ID"] for row in (await api.get("/v1/estafette/webhook-calls", before="2")).json()["Data"]] == [1]
    assert [row["ID"] for row in (await api.get("/v1/estafette/webhook-calls", failed="1", webhook="1")).json()["Data"]] == [2]
    assert (await (await api.another("other", "key2")).get("/v1/estafette/webhook-calls")).json()["Data"] == []


