"""Reads typed values out of JSON that nobody vouches for. Pure; what is wrong is collected, not raised.

Property names are matched whatever their case (contract 2.5); unknown ones are ignored; null is the same as absent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from estafette.api import errors
from estafette.api.errors import Problem
from estafette.mail.address import AddressError, Mailbox, parse

MAX_NAME = 255
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Person:
    """An {Email, Name} object."""

    given: str  # the address as the client wrote it: answers repeat it
    mailbox: Mailbox

    @property
    def key(self) -> str:
        return self.mailbox.address.key


def folded(given: Mapping[str, object]) -> dict[str, object]:
    """The same properties under lower-case names; of two that differ in case only the later counts, as in JSON itself."""
    return {name.lower(): value for name, value in given.items()}


def has_control(text: str) -> bool:
    """True when a text for a header holds what must not stand in one; a tab may."""
    return _CONTROL.search(text) is not None


class Fields:
    """The properties of one JSON object, read by name; problems are added to the list that was handed in."""

    def __init__(self, properties: Mapping[str, object], problems: list[Problem], path: str = "") -> None:
        self._properties = properties  # folded
        self._problems = problems
        self._prefix = f"{path}." if path else ""

    def raw(self, name: str) -> object:
        """As it came."""
        return self._properties.get(name.lower())

    def is_given(self, name: str) -> bool:
        return self.raw(name) is not None

    def flag(self, name: str) -> bool:
        """true or false; absent is false."""
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        self._complain(errors.mismatch(self._prefix + name, "boolean"))
        return False

    def integer(self, name: str) -> int | None:
        """A whole number; true is none."""
        value = self.raw(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        self._complain(errors.mismatch(self._prefix + name, "int"))
        return None

    def text(self, name: str, limit: int = 0, *, is_required: bool = False, is_line: bool = False) -> str:
        """A string of at most `limit` characters (0 = any); `is_required`: neither absent nor empty; `is_line`: without control characters."""
        path, value = self._prefix + name, self.raw(name)
        if value is None:
            if is_required:
                self._complain(errors.missing(path))
            return ""
        if not isinstance(value, str):
            self._complain(errors.mismatch(path, "string"))
            return ""
        if is_required and not value:
            self._complain(errors.empty_text(path))
        elif limit and len(value) > limit:
            self._complain(errors.too_long(path, limit))
        elif is_line and has_control(value):
            self._complain(errors.not_allowed(path, f'"{path}" must be one line without control characters.'))
        else:
            return value
        return ""

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of a few words, in any case; absent is the first."""
        value = self.text(name)
        if value and value.lower() not in allowed:
            self._complain(errors.not_allowed(self._prefix + name, f'"{self._prefix + name}" must be one of: {", ".join(allowed)}.'))
        return value.lower() if value.lower() in allowed else allowed[0]

    def person(self, name: str, *, is_required: bool = False) -> Person | None:
        """One {Email, Name} object."""
        value, path = self.raw(name), self._prefix + name
        if value is None:
            if is_required:
                self._complain(errors.missing(path))
            return None
        return self._person(value, path, "email")

    def person_or_people(self, name: str, max_entries: int) -> tuple[Person, ...]:
        """One {Email, Name} object, or several in an array."""
        if isinstance(self.raw(name), list):
            return self.people(name, max_entries)
        found = self.person(name)
        return (found,) if found else ()

    def people(self, name: str, max_entries: int, *, is_required: bool = False) -> tuple[Person, ...]:
        """An array of {Email, Name} objects."""
        value, path = self.raw(name), self._prefix + name
        if value is None:
            if is_required:
                self._complain(errors.missing(path))
            return ()
        if not isinstance(value, list):
            self._complain(errors.mismatch(path, "array of emails"))
            return ()
        if is_required and not value:
            self._complain(errors.empty_array(path))
        if len(value) > max_entries:
            self._complain(errors.array_too_long(path, max_entries))
            return ()
        found = [self._person(entry, f"{path}[{i}]", "emailIn") for i, entry in enumerate(value)]
        return tuple(person for person in found if person)

    def _person(self, value: object, path: str, expected: str) -> Person | None:
        if not isinstance(value, dict):
            self._complain(errors.mismatch(path, expected))
            return None
        inner = Fields(folded(value), self._problems, path)
        before = len(self._problems)
        given = inner.text("Email", is_required=True).strip()
        name = inner.text("Name", MAX_NAME, is_line=True)
        if len(self._problems) > before:
            return None
        if not given:
            self._complain(errors.empty_text(f"{path}.Email"))
            return None
        try:
            return Person(given, Mailbox(name, parse(given)))
        except AddressError:
            self._complain(errors.bad_address(f"{path}.Email", given))
            return None

    def _complain(self, problem: Problem) -> None:
        self._problems.append(problem)
