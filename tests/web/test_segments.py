"""Segments in the dashboard: a mistake is shown with its place and not kept, a sample is counted, one contact is judged."""

from estafette.audience import PropertyKind
from tests.web.conftest import Site, text_of
from tests.web.test_audience import new_list


async def test_an_expression_is_written_counted_and_explained(inside: Site) -> None:
    age = await inside.store.contacts.add_property(inside.account.id, "age", PropertyKind.INT, 0)
    number = await new_list(inside)
    assert age is not None
    for name, value in [("old", "70"), ("young", "7")]:
        at = (await inside.post(inside.at(f"lists/{number}"), order="add", address=f"{name}@example.net")).headers["location"].split("?")[0]
        await inside.post(at, order="save", **{f"p-{age.id}": value})
    made = (await inside.post(inside.at("segments"), name="Grown up")).headers["location"]
    assert (await inside.post(inside.at("segments"), name="Grown up")).status_code == 422
    for wrong, place in [("(age > )", ")"), ("(size > 3)", "size > 3)"), ("", "…"), ('(age = "x")', "age"), ("(" * 9000, "…")]:
        answer = await inside.post(made, order="save", name="Grown up", expression=wrong)
        assert answer.status_code == 422, wrong
        assert wrong == "" or (place[:3] in answer.text and "<mark>" in answer.text), wrong
    assert (await inside.post(made, order="save", name="Grown up", expression="(age >= 18)")).status_code == 303
    assert "Of 2 contacts that were looked at, 1 are in." in text_of(await inside.get(made))
    assert "not in the segment" in text_of(await inside.get(made + "?address=young@example.net"))
    old = text_of(await inside.get(made + "?address=old@example.net"))
    assert "not in the segment" not in old and "in the segment" in old and ": true" in old
    assert "No contact has exactly" in text_of(await inside.get(made + "?address=x@example.net"))
    assert (await inside.post(made, order="delete")).status_code == 422
    assert (await inside.post(made, order="delete", sure="yes")).status_code == 303
    assert (await inside.client.get(made)).status_code == 404
