"""What a subscription form may be: read from what people and programs give, with everything that is wrong named at once. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from estafette.audience import ContactProperty, FormDefinition, Question
from estafette.feedback.targets import location
from estafette.mail.address import AddressError, parse

LANGUAGES: Final = ("en", "fr")
MAX_QUESTIONS: Final = 20
MAX_NAME: Final = 100
LENGTHS: Final = {"author": 254, "author_name": 200, "title": 200, "intro": 1000, "words": 2000, "redirect": 1000, "label": 200}
_NETLOC: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::[0-9]{1,5})?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class WrongForm(ValueError):
    """The form cannot be so; `problems`: field → what is wrong with it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in problems.items()))
        self.problems = dict(problems)


def read_definition(given: Mapping[str, Any], properties: Sequence[ContactProperty]) -> FormDefinition:
    """A definition from the names of `FormDefinition`; what is not given is as it is by default. Raises WrongForm."""
    problems: dict[str, str] = {}
    texts = {name: _text(given, name, problems) for name in ("language", "author", "author_name", "title", "intro", "words", "redirect")}
    if texts["language"] not in LANGUAGES:
        problems["language"] = f"one of {', '.join(LANGUAGES)} is expected"
    try:
        texts["author"] = str(parse(texts["author"])) if "author" not in problems else ""
    except AddressError as error:
        problems["author"] = str(error)
    if texts["redirect"] and not is_redirect(texts["redirect"]):
        problems["redirect"] = "an address that begins with http:// or https:// and a name of a host is expected"
    flags = {name: _flag(given, name, default, problems) for name, default in (("asks_name", False), ("is_double", True))}
    questions = _questions(given.get("questions", []), properties, problems)
    for name in sorted(set(map(str, given)) - FormDefinition.__dataclass_fields__.keys()):
        problems[name[:100]] = "there is no such field"
    if problems:
        raise WrongForm(problems)
    return FormDefinition(
        texts["language"], texts["author"], texts["author_name"], texts["title"], texts["intro"], texts["words"], questions, flags["asks_name"],
        flags["is_double"], texts["redirect"],
    )  # fmt: skip


def _text(given: Mapping[str, Any], name: str, problems: dict[str, str]) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        problems[name] = "a text is expected"
        return ""
    value = value.strip()
    if len(value) > LENGTHS.get(name, MAX_NAME) or _CONTROL.search(value):
        problems[name] = f"a text of at most {LENGTHS.get(name, MAX_NAME)} characters without control characters is expected"
        return ""
    return value


def _flag(given: Mapping[str, Any], name: str, default: bool, problems: dict[str, str]) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        problems[name] = "true or false is expected"
        return default
    return value


def _questions(given: Any, properties: Sequence[ContactProperty], problems: dict[str, str]) -> tuple[Question, ...]:
    known = {one.id for one in properties}
    if not isinstance(given, list | tuple) or len(given) > MAX_QUESTIONS:
        problems["questions"] = f"an array of at most {MAX_QUESTIONS} is expected"
        return ()
    found: list[Question] = []
    for entry in given:
        number = entry.get("property_id") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(number, int) or isinstance(number, bool) or number not in known:
            problems["questions"] = "property_id: the number of a contact property of the account is expected"
        elif number in {one.property_id for one in found}:
            problems["questions"] = f"property {number} is asked twice"
        else:
            label = _text(entry, "label", problems)
            found.append(Question(number, label, _flag(entry, "is_required", False, problems)))
    return tuple(found)


def is_redirect(url: str) -> bool:
    """Whether a browser may be sent there: a web address with a plain name of a host, which also stands in a header of ours."""
    if location(url) is None or not url.lower().startswith(("http://", "https://")):
        return False
    netloc = urlsplit(url).netloc
    return _NETLOC.fullmatch(netloc) is not None


def redirect_origin(definition: FormDefinition) -> str:
    """Scheme, host and port of where the browser goes afterwards; "" when it stays with us. For the policy of the page."""
    if not definition.redirect:
        return ""
    parts = urlsplit(definition.redirect)
    return f"{parts.scheme}://{parts.netloc}"
