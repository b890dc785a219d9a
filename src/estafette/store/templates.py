"""Shelf: templates and their parts. A template belongs to one account; another account's is as unknown as one that does not exist."""

import msgspec

from estafette.nouns import Template, TemplateContent
from estafette.store.unit import Many, Row, Rows, Runner, Unit


class Templates:
    """`store.templates`."""

    def __init__(self, driver: Runner) -> None:
        self._driver = driver

    async def create(self, template: Template, now: int) -> Template | None:
        """The template with its id; None when the account has one of this name."""
        return await self._driver.write(lambda: _create(template, now))

    async def update(self, template: Template, now: int) -> bool:
        """Everything but the parts is replaced; False when there is none of this id, or another one of the account has the name."""
        return await self._driver.write(lambda: _update(template, now))

    async def delete(self, account_id: int, template_id: int) -> bool:
        """With its parts; False when there is none."""
        return await self._driver.write(lambda: _delete(account_id, template_id))

    async def find(self, account_id: int, template_id: int) -> Template | None:
        """By its id."""
        return await self._driver.read(lambda: _find(account_id, template_id, ""))

    async def find_named(self, account_id: int, name: str) -> Template | None:
        """By its name, which is exact."""
        return await self._driver.read(lambda: _find(account_id, 0, name))

    async def list(self, account_id: int, edit_mode: int | None = None, after: int = 0, limit: int = 1000) -> list[Template]:
        """By id upward, from the one behind `after` on."""
        return await self._driver.read(lambda: _list(account_id, edit_mode, after, limit))

    async def content(self, account_id: int, template_id: int) -> TemplateContent | None:
        """The parts; None when there is no such template, or nothing was ever put into it."""
        return await self._driver.read(lambda: _content(account_id, template_id))

    async def set_content(self, account_id: int, template_id: int, content: TemplateContent, now: int) -> bool:
        """Replace the parts; False when there is no such template."""
        return await self._driver.write(lambda: _set_content(account_id, template_id, content, now))


def _template(row: Row) -> Template:
    words = msgspec.json.decode(row[10], type=tuple[str, ...]), msgspec.json.decode(row[11], type=tuple[str, ...])
    return Template(*row[:8], bool(row[8]), bool(row[9]), *words, *row[12:])  # type: ignore[call-arg]  # row edge


def _written(t: Template) -> tuple[str | int, ...]:
    """The columns from `name` to `presets`."""
    words = msgspec.json.encode(t.categories).decode(), msgspec.json.encode(t.purposes).decode()
    return (t.name, t.author, t.description, t.copyright, t.locale, t.edit_mode, int(t.is_starred), int(t.makes_text), *words, t.presets)


def _create(template: Template, now: int) -> Unit[Template | None]:
    rows = yield Rows("template_put", (template.account_id, *_written(template), now))
    return _template(rows[0]) if rows else None


def _update(template: Template, now: int) -> Unit[bool]:
    return bool((yield Rows("template_set", (template.account_id, template.id, *_written(template), now))))


def _delete(account_id: int, template_id: int) -> Unit[bool]:
    yield Many("template_content_drop", [(account_id, template_id)])
    return bool((yield Rows("template_drop", (account_id, template_id))))


def _find(account_id: int, template_id: int, name: str) -> Unit[Template | None]:
    rows = yield Rows("template_get", (account_id, template_id, name))
    return _template(rows[0]) if rows else None


def _list(account_id: int, edit_mode: int | None, after: int, limit: int) -> Unit[list[Template]]:
    return [_template(row) for row in (yield Rows("template_list", (account_id, after, edit_mode, limit)))]


def _content(account_id: int, template_id: int) -> Unit[TemplateContent | None]:
    rows = yield Rows("template_content_get", (account_id, template_id))
    return TemplateContent(msgspec.json.decode(rows[0][0], type=dict[str, str]), *rows[0][1:]) if rows else None


def _set_content(account_id: int, template_id: int, content: TemplateContent, now: int) -> Unit[bool]:
    headers = msgspec.json.encode(content.headers).decode()
    rows = yield Rows("template_content_put", (account_id, template_id, headers, content.html, content.text, content.mjml, now))
    if rows:
        yield Many("template_touch", [(account_id, template_id, now)])
    return bool(rows)
