"""`template` and its `detailcontent`: what a mail is made from (contract 5.6)."""

from dataclasses import replace
from typing import Any, Final

from estafette.api.rest.arranging import arrange
from estafette.api.rest.call import Call, not_found
from estafette.api.rest.reading import date, invalid, number_of, taken
from estafette.api.rest.resource import Action, Filter, Found, Kind, Property, Reply, Resource, Row, changing, shown
from estafette.nouns import Template, TemplateContent

MAX_PART: Final = 2_000_000
"""Characters of one part."""
MAX_WORDS: Final = 100
PURPOSES: Final = ("marketing", "transactional", "automation")
_PARTS: Final = {"Html-part": "html", "Text-part": "text", "MJMLContent": "mjml"}


def _row(one: Template) -> Row:
    return {
        "Author": one.author, "Categories": list(one.categories), "Copyright": one.copyright, "CreatedAt": date(one.created_at),
        "Description": one.description, "EditMode": one.edit_mode, "ID": one.id, "IsStarred": one.is_starred,
        "IsTextPartGenerationEnabled": one.makes_text, "LastUpdatedAt": date(one.updated_at), "Locale": one.locale, "Name": one.name,
        "OwnerId": one.account_id, "OwnerType": "apikey", "Presets": one.presets, "Previews": [], "Purposes": list(one.purposes),
    }  # fmt: skip


async def _all(call: Call) -> list[Template]:
    found: list[Template] = []
    while page := await call.store.templates.list(call.account_id, call.listing.get("EditMode"), found[-1].id if found else 0):
        found += page
    return found


async def _templates(call: Call) -> Found:
    want = call.listing
    if want.get("OwnerType") not in (None, "apikey"):
        return arrange([], want)
    rows = [_row(one) for one in await _all(call) if _has(one.categories, want.get("Categories"), want.get("CategoriesSelectionMethod"))
            and _has(one.purposes, want.get("Purposes"), want.get("PurposesSelectionMethod"))]  # fmt: skip
    return arrange(rows, want, ("Name",))


def _has(words: tuple[str, ...], wanted: tuple[str, ...] | None, method: str | None) -> bool:
    if wanted is None:
        return True
    has, wants = set(words), set(wanted)
    return bool(has & wants) if method in (None, "containsany") else wants <= has if method == "containsall" else has <= wants


async def _find(call: Call) -> Template | None:
    """By number, or `apikey|Name`."""
    number = number_of(call.key)
    if number:
        return await call.store.templates.find(call.account_id, number)
    owner, bar, name = call.key.partition("|")
    return await call.store.templates.find_named(call.account_id, name) if bar and owner.lower() == "apikey" else None


async def _the(call: Call) -> Template:
    found = await _find(call)
    if found is None:
        raise not_found()
    return found


async def _template(call: Call) -> Row | None:
    found = await _find(call)
    return _row(found) if found else None


def _with(one: Template, given: dict[str, Any]) -> Template:
    mode = given.get("EditMode", one.edit_mode)
    if not 1 <= mode <= 4:
        raise invalid({"EditMode": "1 (drag and drop), 2 (HTML), 3 (saved section) or 4 (MJML) is expected"})
    return replace(
        one, name=given.get("Name", one.name), author=given.get("Author", one.author), description=given.get("Description", one.description),
        copyright=given.get("Copyright", one.copyright), locale=given.get("Locale", one.locale), edit_mode=mode,
        is_starred=given.get("IsStarred", one.is_starred), makes_text=given.get("IsTextPartGenerationEnabled", one.makes_text),
        categories=_words(given, "Categories", one.categories), purposes=_words(given, "Purposes", one.purposes), presets=given.get("Presets", one.presets),
    )  # fmt: skip


def _words(given: dict[str, Any], name: str, before: tuple[str, ...]) -> tuple[str, ...]:
    words = given.get(name)
    if words is None:
        return before
    if len(words) > MAX_WORDS or not all(isinstance(word, str) and len(word) <= 100 for word in words):
        raise invalid({name: f"at most {MAX_WORDS} texts are expected"})
    if name == "Purposes" and not set(words) <= set(PURPOSES):
        raise invalid({name: f"some of {', '.join(PURPOSES)} are expected"})
    return tuple(words)


async def _create(call: Call) -> Row:
    made = await call.store.templates.create(_with(Template(0, call.account_id, call.values["Name"]), call.values), call.now)
    if made is None:
        raise taken("Template", "Name", call.values["Name"])
    return _row(made)


async def _update(call: Call) -> Row | None:
    before = await _the(call)
    after = _with(before, call.values)
    if not after.name:
        raise invalid({"Name": "mandatory property is empty"})
    if after == before:
        return None
    if not await call.store.templates.update(after, call.now):
        raise taken("Template", "Name", after.name)
    return _row(replace(after, updated_at=call.now))


async def _delete(call: Call) -> bool:
    found = await _find(call)
    return found is not None and await call.store.templates.delete(call.account_id, found.id)


# -- detailcontent ----------------------------------------------------------------------------------------------------------


def _content_row(content: TemplateContent) -> Row:
    return {"Headers": content.headers, "Html-part": content.html, "MJMLContent": content.mjml, "Text-part": content.text}


async def _content(call: Call) -> Reply:
    content = await call.store.templates.content(call.account_id, (await _the(call)).id)
    if content is None:  # the newer style of errors, as recorded
        return Reply(404, raw={"ErrorIdentifier": call.desk.identifier(), "StatusCode": 404, "ErrorMessage": "Template content not found"})
    return Reply(200, [_content_row(content)])


async def _put(call: Call, before: TemplateContent, status: int) -> Reply:
    parts: dict[str, str | None] = {}
    for name, field in _PARTS.items():
        if name in call.values:
            value = call.values[name]
            if value is not None and (not isinstance(value, str) or len(value) > MAX_PART):
                raise invalid({name: f"a text of at most {MAX_PART} characters is expected"})
            parts[field] = value
    after = replace(before, **parts, headers=_headers(call.values.get("Headers"), before.headers))  # type: ignore[arg-type]  # names of _PARTS
    await call.store.templates.set_content(call.account_id, (await _the(call)).id, after, call.now)
    return Reply(status, [_content_row(after)])


def _headers(given: Any, before: dict[str, str]) -> dict[str, str]:
    if given is None:
        return before
    if not isinstance(given, dict) or len(given) > MAX_WORDS:
        raise invalid({"Headers": "an object is expected"})
    for name, value in given.items():
        if not isinstance(value, str) or any(sign in name + value for sign in "\r\n"):
            raise invalid({"Headers": f"{str(name)[:100]}: a text of one line is expected"})
    return dict(given)


async def _create_content(call: Call) -> Reply:
    return await _put(call, TemplateContent(), 201)


async def _update_content(call: Call) -> Reply:
    before = await call.store.templates.content(call.account_id, (await _the(call)).id)
    return await _put(call, before or TemplateContent(), 200)


def _part(name: str, about: str, alias: str = "") -> Property:
    return Property(name, Kind.ANY, about, on_create=True, on_update=True, alias=alias)


RESOURCES: Final = (
    Resource("template", "What mails are made from when they are sent by `TemplateID`.", (
        changing("Name", Kind.STR, "One of its kind.", is_required=True, max_length=100), changing("Author", Kind.STR), changing("Categories", Kind.LIST),
        changing("Copyright", Kind.STR), changing("Description", Kind.STR),
        changing("EditMode", Kind.INT, "1 drag and drop, 2 HTML, 3 saved section, 4 MJML.", default=2),
        changing("IsStarred", Kind.BOOL, default=False), changing("IsTextPartGenerationEnabled", Kind.BOOL, default=False),
        changing("Locale", Kind.STR, default="en_US", max_length=20), changing("Presets", Kind.STR, "What an editor keeps.", max_length=100_000),
        changing("Purposes", Kind.LIST, f"Some of {', '.join(PURPOSES)}."), shown("CreatedAt", Kind.DATE), shown("ID", Kind.INT),
        shown("LastUpdatedAt", Kind.DATE), shown("OwnerId", Kind.INT), shown("OwnerType", Kind.STR, "Always apikey."),
        shown("Previews", Kind.LIST, "Always empty."),
    ), (
        Filter("EditMode", Kind.INT), Filter("Name", Kind.STR), Filter("OwnerType", Kind.STR, choices=("apikey", "user", "global")),
        Filter("Categories", Kind.STR, is_several=True), Filter("Purposes", Kind.STR, is_several=True),
        Filter("CategoriesSelectionMethod", Kind.STR, choices=("containsany", "containsall", "issubset")),
        Filter("PurposesSelectionMethod", Kind.STR, choices=("containsany", "containsall", "issubset")),
    ), ("ID", "Name", "CreatedAt"), "OwnerType|Name", (
        Action("detailcontent", "The parts. POST empties what is not given, PUT keeps it; null empties.", (
            _part("Html-part", "HTML."), _part("Text-part", "Plain text."), _part("MJMLContent", "MJML, compiled when there is no HTML.", "Mjml-part"),
            _part("Headers", "From, Subject, Reply-To: a send call may override them."),
        ), get=_content, post=_create_content, put=_update_content),
    ), many=_templates, one=_template, create=_create, update=_update, delete=_delete, note="Templates are an account's own: there is no gallery."),
)  # fmt: skip
