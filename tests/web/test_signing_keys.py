"""S13: signing keys are replaced in three steps, none of which leaves a mail that cannot be verified."""

from estafette.deliver.answers import Answer, AnswerKind
from estafette.deliver.rotation import Rotation
from estafette.store.screens import NEWEST
from estafette.views import Role
from tests.web.conftest import Site, text_of


async def test_keys_are_made_published_switched_and_dropped(inside: Site) -> None:
    desk, keys = inside.desk, inside.at("domains/shop.test/keys")
    assert (await inside.post(inside.at("domains"), domain="shop.test")).status_code == 303
    rotation = Rotation(desk.store, desk.clock, desk.config, desk.vault, inside.account.id, "shop.test")
    (old,) = await rotation.keys()
    assert (await inside.post(keys, order="switch")).status_code == 400, "nothing waits"
    assert (await inside.post(keys, order="drop", selector=old.key.selector)).status_code == 400, "it signs"

    assert (await inside.post(keys, order="make")).headers["location"].endswith("done=keys_made")
    assert (await inside.post(keys, order="make")).headers["location"].endswith("done=keys_wait")
    (new,) = [s for s in await rotation.keys() if s.state == "waiting"]
    page = text_of(await inside.get(inside.at("domains/shop.test")))
    assert "waits to be published" in page and f"{new.key.selector}._domainkey.shop.test" in page
    refused = await inside.post(keys, order="switch")
    assert refused.status_code == 422 and "Nothing was switched" in refused.text
    assert sorted(s.state for s in await rotation.keys()) == ["signing", "waiting"]

    (record,) = await rotation.waiting()
    inside.zone.answers[(record.name, "TXT")] = Answer(AnswerKind.FOUND, ("v=DKIM1; p=somebodyelses",), ttl_s=1)
    assert (await inside.post(keys, order="switch")).status_code == 422, "another key stands there"
    inside.zone.answers[(record.name, "TXT")] = Answer(AnswerKind.FOUND, (record.value,), ttl_s=1)
    assert (await inside.post(keys, order="switch")).status_code == 303
    assert {s.key.selector: s.state for s in await rotation.keys()} == {old.key.selector: "retired", new.key.selector: "signing"}
    assert [key.selector for key in await inside.store.dkim_keys(inside.account.id, "shop.test")] == [new.key.selector]
    assert (await inside.post(keys, order="drop", selector=old.key.selector)).status_code == 303
    assert (await inside.post(keys, order="ed25519")).status_code == 303
    assert {s.key.algorithm: s.state for s in await rotation.keys()} == {"rsa-sha256": "signing", "ed25519-sha256": "waiting"}
    audit = [entry.action for entry in await inside.store.users.audit(inside.account.id, NEWEST, 10)]
    assert audit == ["key.make", "key.drop", "key.switch", "key.make", "domain.add"]


async def test_who_may_not_and_what_is_not_there(inside: Site) -> None:
    stranger = await inside.store.add_account("stranger", 1)
    await inside.store.add_domain(stranger.id, "theirs.test", True, "", 1)
    assert (await inside.post(inside.at("domains/theirs.test/keys"), order="make")).status_code == 404
    user = await inside.store.users.lock("ada")
    assert user is not None
    await inside.store.users.set_role(user.user.id, inside.account.id, Role.MARKETER)
    assert (await inside.post(inside.at("domains/acme.test/keys"), order="make")).status_code == 403
    assert await inside.store.signers.list(inside.account.id, "acme.test") == []
