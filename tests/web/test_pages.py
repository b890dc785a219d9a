"""Every page, in both languages."""

import pytest

from tests.web.conftest import Site, text_of

PAGES = ["", "start", "activity", "blocks", "domains", "domains/acme.test", "queue", "campaigns", "lists", "contacts", "segments", "imports",
         "forms", "forms/new", "properties",
         "newsletters", "statistics", "exports", "settings/keys", "settings/users", "settings/webhooks", "settings/tracking", "settings/retention",
         "settings/audit"]


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_every_page_is_there(inside: Site, language: str) -> None:
    await inside.post("/app/language", language=language, back="/app/")
    for name in PAGES:
        page = await inside.get(inside.at(name))
        assert page.css_first("html").attributes["lang"] == language
        assert len(page.css("h1")) == 1, name
        assert text_of(page)
