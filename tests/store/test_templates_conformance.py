"""The shelf of templates, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from estafette.clock import SECOND_US, ManualClock
from estafette.nouns import Template, TemplateContent
from estafette.status.blocking import StatusPolicy
from estafette.store.database import Database
from estafette.store.opening import open_store

NOW = 1_790_000_000 * SECOND_US
LATER = NOW + SECOND_US


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Database]:
    opened = await open_store(database_url, StatusPolicy(), ManualClock())
    yield opened
    await opened.close()


async def test_the_life_of_a_template(store: Database) -> None:
    account = await store.add_account("acme", NOW)
    other = await store.add_account("other", NOW)
    wanted = Template(0, account.id, "Welcome", author="Jo", edit_mode=4, is_starred=True, categories=("full", "été"), purposes=("transactional",))
    made = await store.templates.create(wanted, NOW)
    assert made == replace(wanted, id=made.id if made else 0, created_at=NOW, updated_at=NOW)
    assert made is not None and made.id > 0
    assert await store.templates.create(wanted, NOW) is None, "the name is taken"
    theirs = await store.templates.create(replace(wanted, account_id=other.id), NOW)
    assert theirs is not None, "names are of one account"

    assert await store.templates.find(account.id, made.id) == made
    assert await store.templates.find_named(account.id, "Welcome") == made
    assert await store.templates.find_named(account.id, "welcome") is None
    assert await store.templates.find(account.id, theirs.id) is None

    assert await store.templates.content(account.id, made.id) is None
    content = TemplateContent({"Subject": "Hé {{var:x}}"}, html="<p>\n</p>", mjml="<mjml/>", updated_at=LATER)
    assert await store.templates.set_content(account.id, made.id, content, LATER)
    assert await store.templates.content(account.id, made.id) == content
    assert not await store.templates.set_content(other.id, made.id, content, LATER)
    assert await store.templates.content(other.id, made.id) is None
    shorter = TemplateContent(text="", updated_at=LATER + 1)
    assert await store.templates.set_content(account.id, made.id, shorter, LATER + 1)
    assert await store.templates.content(account.id, made.id) == shorter

    assert await store.templates.update(replace(made, name="Bye", is_starred=False, categories=()), LATER)
    again = await store.templates.find(account.id, made.id)
    assert again == replace(made, name="Bye", is_starred=False, categories=(), updated_at=LATER)
    second = await store.templates.create(wanted, NOW)
    assert second is not None
    assert not await store.templates.update(replace(second, name="Bye"), LATER), "another one has the name"
    assert not await store.templates.update(replace(made, account_id=other.id), LATER)

    assert not await store.templates.delete(other.id, made.id)
    assert await store.templates.content(account.id, made.id) == shorter, "somebody else's delete touches nothing"
    assert await store.templates.delete(account.id, made.id)
    assert not await store.templates.delete(account.id, made.id)
    assert await store.templates.content(account.id, made.id) is None
    assert [t.id for t in await store.templates.list(account.id)] == [second.id]


async def test_lists_are_paged_by_id(store: Database) -> None:
    account = await store.add_account("acme", NOW)
    ids = []
    for number in range(5):
        made = await store.templates.create(Template(0, account.id, f"t{number}", edit_mode=1 + number % 2), NOW)
        assert made is not None
        ids.append(made.id)
    assert ids == sorted(ids)
    page = await store.templates.list(account.id, limit=2)
    assert [t.id for t in page] == ids[:2]
    assert [t.id for t in await store.templates.list(account.id, after=page[-1].id)] == ids[2:]
    assert [t.name for t in await store.templates.list(account.id, edit_mode=2)] == ["t1", "t3"]
    assert await store.templates.list(account.id + 1) == []
