"""What somebody filled in: read, bounded, and judged field by field. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from estafette.audience import ContactProperty, FormDefinition, PropertyKind, PropertyValue
from estafette.mail.address import Address, AddressError, parse
from estafette.newsletters.contact_values import WrongValue, read_value
from estafette.signup.pages import MAX_ANSWER, TRAP


@dataclass(frozen=True, slots=True)
class Answers:
    """A form that came back."""

    values: dict[str, str] = field(default_factory=dict)  # as they were given, for the form that is shown again
    problems: dict[str, str] = field(default_factory=dict)  # field → key of a sentence
    address: Address | None = None
    name: str = ""
    properties: dict[int, PropertyValue] = field(default_factory=dict)
    shown: str = ""  # the token of when it was shown
    is_trapped: bool = False


def read_answers(fields: Sequence[tuple[str, str]], definition: FormDefinition, properties: Sequence[ContactProperty]) -> Answers:
    """Every field that the form has; others are passed over, and of a repeated one the first counts."""
    given: dict[str, str] = {}
    for name, value in fields:
        given.setdefault(name, "".join(c if c.isprintable() else " " for c in value[:MAX_ANSWER]).strip())
    known = {one.id: one for one in properties}
    values, problems = {"email": given.get("email", "")}, dict[str, str]()
    found: dict[int, PropertyValue] = {}
    address = _address(values["email"])
    if address is None:
        problems["email"] = "address"
    name = values["name"] = given.get("name", "")[:200] if definition.asks_name else ""
    for question in definition.questions:
        one = known.get(question.property_id)
        if one is None:
            continue
        field_name = f"p{one.id}"
        text = values[field_name] = given.get(field_name, "")
        try:
            answer = read_value(one.kind, text == "yes" if one.kind is PropertyKind.BOOL else text or None)
        except WrongValue:
            problems[field_name] = "value"
            continue
        if answer is not None:
            found[one.id] = answer
        if question.is_required and (answer is None or answer is False):
            problems[field_name] = "missing"
    if definition.words:
        values["agree"] = given.get("agree", "")
        if values["agree"] != "yes":
            problems["agree"] = "agree"
    return Answers(values, problems, address, name, found, given.get("shown", ""), bool(given.get(TRAP)))


def _address(text: str) -> Address | None:
    try:
        return parse(text)
    except AddressError:
        return None
