"""The shelf of consents on both databases: proofs of every change of a place, subscriptions that wait, and what is left of a person afterwards."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import resources

import pytest

from estafette.audience import (
    Act,
    ContactChange,
    ContactList,
    FormDefinition,
    ListAction,
    OptIn,
    PropertyKind,
    Question,
    SignUpForm,
    Standing,
    Trace,
)  # fmt: skip
from estafette.clock import DAY_US, SECOND_US, ManualClock
from estafette.model import Account, BlockCause
from estafette.status.blocking import StatusPolicy
from estafette.store.consents import Confirmation
from estafette.store.database import Database
from estafette.store.opening import open_store

NOW = 1_790_000_000 * SECOND_US
JO = ContactChange("Jo@x.test", "jo@x.test")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


@pytest.fixture
async def account(store: Database) -> Account:
    return await store.add_account("acme", NOW)


@pytest.fixture
async def news(store: Database, account: Account) -> ContactList:
    made = await store.contacts.create_list(account.id, "News", "aa", NOW)
    assert made is not None
    return made


def wanted(account: Account, news: ContactList, **other: object) -> OptIn:
    one = OptIn(0, account.id, news.id, 7, "Jo@x.test", "jo@x.test", "Jo", {}, "fr", "192.0.2.0", "I want the news", NOW, NOW + DAY_US)
    return replace(one, **other)  # type: ignore[arg-type]


async def put(store: Database, account: Account, news: ContactList, action: ListAction, at: int, **trace: str) -> int:
    ids = await store.contacts.apply(account.id, [JO], {news.id: action}, Trace("api", "key k", **trace), at)
    assert ids is not None
    return ids["jo@x.test"]


async def test_every_change_of_a_place_leaves_a_proof_and_nothing_else_does(store: Database, account: Account, news: ContactList) -> None:
    """All sixteen pairs of what a contact was and what is done: a proof exactly where the place changed, and the list's count stays exact."""
    stages = {None: [], "subscribed": [ListAction.ADD_FORCE], "unsubscribed": [ListAction.UNSUBSCRIBE]}
    expected = {
        (None, ListAction.ADD_FORCE): Act.SUBSCRIBED, (None, ListAction.ADD_NO_FORCE): Act.SUBSCRIBED, (None, ListAction.UNSUBSCRIBE): Act.UNSUBSCRIBED,
        ("subscribed", ListAction.UNSUBSCRIBE): Act.UNSUBSCRIBED, ("subscribed", ListAction.REMOVE): Act.REMOVED,
        ("unsubscribed", ListAction.ADD_FORCE): Act.SUBSCRIBED, ("unsubscribed", ListAction.REMOVE): Act.REMOVED,
    }  # fmt: skip
    number = await put(store, account, news, ListAction.REMOVE, NOW)
    for stage, before in stages.items():
        for action in ListAction:
            await put(store, account, news, ListAction.REMOVE, NOW)
            for step in before:
                await put(store, account, news, step, NOW)
            known = len(await store.consents.acts(account.id, number))
            await put(store, account, news, action, NOW + 1, reason="too many")
            acts = await store.consents.acts(account.id, number)
            said = [one.act for one in acts[: len(acts) - known]]
            assert said == ([expected[stage, action]] if (stage, action) in expected else []), (stage, action)
            if said:
                assert (acts[0].list_id, acts[0].list_name, acts[0].trace, acts[0].at) == (news.id, "News", Trace("api", "key k", reason="too many"), NOW + 1)
            found = await store.contacts.find_list(account.id, news.id)
            assert found is not None
            assert found.subscribers == await store.contacts.count(account.id, list_id=news.id, is_unsubscribed=False)
    await store.contacts.apply(account.id, [replace(JO, is_excluded=True)], {}, Trace("api"), NOW)
    await store.contacts.apply(account.id, [replace(JO, is_excluded=True)], {}, Trace("api"), NOW)
    await store.contacts.apply(account.id, [replace(JO, is_excluded=False)], {}, Trace("api"), NOW)
    newest = await store.consents.acts(account.id, number, limit=3)
    assert [one.act for one in newest[:2]] == [Act.INCLUDED, Act.EXCLUDED] and newest[2].act not in (Act.INCLUDED, Act.EXCLUDED)
    assert await store.consents.acts(account.id, number, before=newest[2].id, limit=1) == (await store.consents.acts(account.id, number))[3:4]
    assert await store.consents.acts(account.id + 1, number) == []


async def test_a_subscription_waits_until_it_is_confirmed(store: Database, account: Account, news: ContactList) -> None:
    city = await store.contacts.add_property(account.id, "city", PropertyKind.STR, NOW)
    assert city is not None
    shelf = store.consents
    first = await shelf.ask(wanted(account, news, properties={city.id: "Nantes"}))
    assert await shelf.opt_in(first) == wanted(account, news, id=first, properties={city.id: "Nantes"})
    assert await store.contacts.find_address(account.id, "jo@x.test") is None, "an address that somebody typed is no contact"
    assert [one.id for one in await shelf.waiting(account.id, address_key="jo@x.test", now=NOW)] == [first]
    assert await shelf.waiting(account.id, now=NOW + DAY_US) == [] and await shelf.waiting(account.id + 1, now=NOW) == []

    await store.add_block(account.id, "jo@x.test", BlockCause.UNSUBSCRIBE, NOW, None)
    await store.add_block(account.id, "jo@x.test", BlockCause.MANUAL, NOW, None)
    trace = Trace("form", "form 7", "198.51.100.0", "I want the news")
    assert await shelf.confirm(first, trace, NOW + 5) is Confirmation.DONE
    assert await shelf.confirm(first, trace, NOW + 6) is Confirmation.BEFORE
    jo = await store.contacts.find_address(account.id, "jo@x.test")
    assert jo is not None and (jo.name, jo.properties) == ("Jo", {city.id: "Nantes"})
    place = await store.contacts.subscriber_on(account.id, news.id, jo.id)
    assert place is not None and not place.subscription.is_unsubscribed
    assert [b.cause for b in await store.blocks(account.id, NOW + 7, "jo@x.test")] == [BlockCause.MANUAL], "what a person of the account entered stays"
    acts = {one.act: one for one in await shelf.acts(account.id, jo.id)}
    assert set(acts) == {Act.ASKED, Act.SUBSCRIBED, Act.CONFIRMED}
    assert (acts[Act.ASKED].at, acts[Act.ASKED].trace) == (NOW, Trace("form", "form 7", "192.0.2.0", "I want the news"))
    assert (acts[Act.CONFIRMED].at, acts[Act.CONFIRMED].trace) == (NOW + 5, trace)


async def test_what_is_late_unknown_or_of_a_list_that_is_gone_is_not_confirmed(store: Database, account: Account, news: ContactList) -> None:
    late, gone = await store.consents.ask(wanted(account, news)), await store.consents.ask(wanted(account, news, expires_at=NOW + 3 * DAY_US))
    assert await store.consents.confirm(late, Trace("form"), NOW + DAY_US) is Confirmation.GONE
    assert await store.consents.confirm(987, Trace("form"), NOW) is Confirmation.GONE
    assert await store.contacts.update_list(replace(news, deleted_at=NOW))
    assert await store.consents.confirm(gone, Trace("form"), NOW) is Confirmation.GONE
    assert await store.contacts.find_address(account.id, "jo@x.test") is None
    assert await store.consents.prune(NOW + DAY_US + 1) == 1 and await store.consents.prune(NOW + DAY_US + 1) == 0
    assert await store.consents.opt_in(late) is None and await store.consents.opt_in(gone) is not None


async def test_how_a_contact_stands(store: Database, account: Account, news: ContactList) -> None:
    number = await put(store, account, news, ListAction.ADD_FORCE, NOW)
    assert await store.consents.standing(account.id, [number], NOW) == {}
    await store.consents.ask(wanted(account, news))
    assert await store.consents.standing(account.id, [number, 99], NOW) == {number: Standing(True)}
    await put(store, account, news, ListAction.UNSUBSCRIBE, NOW + 1)
    assert await store.consents.standing(account.id, [number], NOW + DAY_US) == {number: Standing(False, NOW + 1, "api")}
    await store.add_block(account.id, "jo@x.test", BlockCause.UNSUBSCRIBE, NOW + 2, None)
    assert await store.consents.standing(account.id, [number], NOW + 3) == {number: Standing(True, NOW + 2, "link")}
    await store.add_block(account.id, "jo@x.test", BlockCause.UNSUBSCRIBE, NOW + 3, NOW + DAY_US)
    await store.add_block(account.id, "jo@x.test", BlockCause.COMPLAINT, NOW + 3, None)
    assert await store.consents.standing(account.id, [number], NOW + 4) == {number: Standing(True, NOW + 2, "link", True)}, "a pause is no unsubscribe"
    assert await store.consents.standing(account.id + 1, [number], NOW + 3) == {}


async def test_nothing_of_it_outlives_an_erasure(store: Database, account: Account, news: ContactList) -> None:
    number = await put(store, account, news, ListAction.ADD_FORCE, NOW)
    waiting = await store.consents.ask(wanted(account, news))
    other = await store.consents.ask(wanted(account, news, address="al@x.test", address_key="al@x.test"))
    await store.contacts.erase(account.id, number, "x@erased.invalid", NOW)
    assert await store.consents.acts(account.id, number) == []
    assert await store.consents.opt_in(waiting) is None and await store.consents.opt_in(other) is not None


def test_proofs_are_only_added_and_forgotten() -> None:
    """No statement of the product changes a proof."""
    texts = [file.read_text("utf-8") for file in resources.files("estafette.store").joinpath("sql").iterdir()]
    assert not [text for text in texts if re.search(r"UPDATE\s+consent_act|consent_act[^;]*DO UPDATE", text)]
    assert sum(text.count("DELETE FROM consent_act") for text in texts) == 1


async def test_forms_and_what_came_by_them(store: Database, account: Account, news: ContactList) -> None:
    shelf, definition = store.sign_ups, FormDefinition("fr", "a@acme.test", questions=(Question(3, "Ville", True),), redirect="https://x.example/")
    form = await shelf.create(SignUpForm(0, account.id, "k1", "Footer", news.id, definition), NOW)
    assert form is not None and form == SignUpForm(form.id, account.id, "k1", "Footer", news.id, definition, True, 0, 0, 0, NOW, NOW)
    assert await shelf.all(account.id) == [form] and await shelf.find(account.id, form.id) == form and await shelf.find_key("k1") == form
    assert await shelf.find(account.id + 1, form.id) is None and await shelf.all(account.id + 1) == [] and await shelf.find_key("k2") is None
    changed = replace(form, name="Side", definition=replace(definition, is_double=False), is_active=False)
    assert await shelf.update(changed, NOW + 1) and not await shelf.update(replace(changed, account_id=account.id + 1), NOW)

    assert await shelf.subscribe(changed, replace(JO, name="Jo"), Trace("form", "form 1"), "fr", NOW)
    jo = await store.contacts.find_address(account.id, "jo@x.test")
    assert jo is not None and jo.name == "Jo" and (await store.consents.choices(account.id, "jo@x.test", NOW)).language == "fr"
    await store.contacts.apply(account.id, [JO], {news.id: ListAction.UNSUBSCRIBE}, Trace("api"), NOW)
    assert await shelf.subscribe(changed, replace(JO, name="Evil"), Trace("form", "form 1"), "en", NOW)
    known = await store.consents.choices(account.id, "jo@x.test", NOW)
    assert known.language == "fr" and known.places[0].is_unsubscribed and await store.contacts.find_address(account.id, "jo@x.test") == jo
    waiting = await store.consents.ask(wanted(account, news, form_id=form.id))
    await store.consents.confirm(waiting, Trace("form"), NOW + 1)
    await shelf.refuse(form.id)
    assert await shelf.find(account.id, form.id) == replace(changed, asked=3, confirmed=3, refused=1, updated_at=NOW + 1)
    assert await shelf.delete(account.id, form.id, NOW) and not await shelf.delete(account.id, form.id, NOW) and await shelf.find_key("k1") is None

    assert [await shelf.count("a", NOW, NOW + 10) for _ in range(3)] == [1, 2, 3] and await shelf.count("b", NOW, NOW + 10) == 1
    assert await shelf.count("a", NOW + 10, NOW + 20) == 1, "another window"
    assert await shelf.prune(NOW + 11) == 2 and await shelf.prune(NOW + 11) == 0 and await shelf.count("a", NOW + 10, NOW + 20) == 2


async def test_a_property_has_a_word_for_who_has_no_value(store: Database, account: Account) -> None:
    made = await store.contacts.add_property(account.id, "city", PropertyKind.STR, NOW)
    assert made is not None and made.fallback is None
    assert await store.contacts.set_fallback(account.id, made.id, "Paris") and not await store.contacts.set_fallback(account.id + 1, made.id, "x")
    assert await store.contacts.properties(account.id) == [replace(made, fallback="Paris")]


async def test_who_leaves_while_asking_many_times_at_once_leaves_once(store: Database, account: Account, news: ContactList) -> None:
    number = await put(store, account, news, ListAction.ADD_FORCE, NOW)
    await asyncio.gather(*(store.consents.leave(account.id, "jo@x.test", None, Trace("link", "message 1"), NOW + 1) for _ in range(8)))
    found = await store.contacts.find_list(account.id, news.id)
    assert found is not None and found.subscribers == 0
    acts = [one for one in await store.consents.acts(account.id, number) if one.list_id]
    assert [one.act for one in acts] == [Act.UNSUBSCRIBED, Act.SUBSCRIBED]
    await store.consents.come_back(account.id, "jo@x.test", [news.id], Trace("link"), NOW + 2)
    assert not await store.blocks(account.id, NOW + 3, "jo@x.test")
