"""`parseroute` of REST v3."""

from tests.api.conftest import Api


async def test_parseroute(api: Api) -> None:
    made = await api.rest("POST", "parseroute", {"Url": "https://shop.test:8443/in", "Email": "In@acme.test"})
    assert made.status_code == 201, made.text
    (row,) = made.json()["Data"]
    assert row == {"APIKeyID": 1, "Email": "In@acme.test", "ID": 1, "Url": "https://shop.test:8443/in"}
    for body in ({"Email": "a@acme.test"}, {"Url": "https://shop.test/"}, {"Url": "ftp://shop.test/x"}, {"Url": "https://shop.test/x", "Email": "a@other.test"},
                 {"Url": "https://shop.test/x", "Email": "in@acme.test"}, {"Url": "https://shop.test/x"}):  # fmt: skip
        assert (await api.rest("POST", "parseroute", body)).status_code == 400, body
    assert (await api.get("/v3/REST/parseroute/in@acme.test")).json()["Data"] == [row]
    assert (await api.rest("PUT", "parseroute/1", {"Url": "https://user:pass@shop.test/new"})).json()["Data"][0]["Url"] == "https://user:pass@shop.test/new"
    assert (await api.rest("PUT", "parseroute/9", {"Url": "https://shop.test/new"})).status_code == 404
    other = await api.another("other", "key2")
    assert (await other.rest("DELETE", "parseroute/1")).status_code == 404
    assert (await api.rest("DELETE", "parseroute/1")).status_code == 204
    assert (await api.get("/v3/REST/parseroute")).json()["Count"] == 0
