"""What a template may know while it runs, what it may spend, and how it fails. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
"""JSON and nothing else. null is the same as undefined."""
Json: TypeAlias = Mapping[str, "Value"]

MAX_STEPS: Final = 100_000
"""Tags, operators and rounds of loops together: a tenth of a second."""
MAX_OUTPUT: Final = 2_000_000
"""Characters of one rendered text."""
MAX_TEXT: Final = 200_000
"""Characters of a text that an expression makes."""
CHARACTERS_PER_STEP: Final = 64
"""Work on texts costs steps by their length."""
NEAR: Final = 40
"""Characters of the source that an error shows."""


class Printed(str):
    """What a tag printed, told apart from the template's own text."""

    __slots__ = ()


class Told(Printed):
    """What a tag printed of a person as it was told: others than the author may have written it."""

    __slots__ = ()


class Failed(Exception):
    """An expression has no value; the text says why. Becomes a `TemplateError` where the tag's place is known."""

    def __init__(self, text: str, variable: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.variable = variable


class Spent(Failed):
    """The budget is used up: nothing is rendered, not even past the error."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tag begins."""

    line: int  # from 1
    column: int  # from 1, in characters
    near: str  # the tag, cut


@dataclass(frozen=True, slots=True)
class TemplateError:
    """What is wrong with a template or its values, for people and programs."""

    text: str  # "Unknown identifier: var:day"
    place: Place
    variable: str = ""  # "var:day", when it is about one
    is_syntax: bool = False

    def __str__(self) -> str:
        kind = "not valid template" if self.is_syntax else "expression parsing error"
        return f"{kind} ## {self.text} ## near ## {self.place.near} ## line {self.place.line}, column {self.place.column}"


class Halted(Exception):
    """A rendering ends here."""

    def __init__(self, error: TemplateError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Facts:
    """What tags may name."""

    var: Json = field(default_factory=dict)  # the message's Variables
    data: Json = field(default_factory=dict)  # the contact's properties
    mj: Json = field(default_factory=dict)  # contact, sender, template
    segments: Mapping[str, bool] = field(default_factory=dict)  # by name and by id: is the contact in it?
    days_since_open: float | None = None  # None: never
    days_since_click: float | None = None


class Run:
    """One rendering of one text: variables that the template made, and what is left of the budget."""

    __slots__ = ("error", "facts", "is_lenient", "names", "out", "room", "steps")

    def __init__(self, facts: Facts, *, is_lenient: bool) -> None:
        self.facts = facts
        self.names: dict[str, Value] = {}
        self.steps = MAX_STEPS
        self.room = MAX_OUTPUT
        self.out: list[str] = []
        self.is_lenient = is_lenient  # a tag that fails is left out, the first error kept
        self.error: TemplateError | None = None

    def fail(self, failed: Failed, place: Place) -> None:
        """Keep the error when the run goes on without the tag. Raises Halted when it does not."""
        self.error = self.error or TemplateError(failed.text, place, failed.variable)
        if isinstance(failed, Spent) or not self.is_lenient:
            raise Halted(self.error)

    def spend(self, steps: int = 1) -> None:
        """Raises Spent."""
        self.steps -= steps
        if self.steps < 0:
            raise Spent(f"the template takes more than {MAX_STEPS} steps")

    def spend_on(self, text: str) -> str:
        """The text, its length paid for. Raises Spent."""
        if len(text) > MAX_TEXT:
            raise Spent(f"a text of more than {MAX_TEXT} characters")
        self.spend(1 + len(text) // CHARACTERS_PER_STEP)
        return text

    def write(self, text: str) -> None:
        """Raises Spent."""
        self.room -= len(text)
        if self.room < 0:
            raise Spent(f"the template makes more than {MAX_OUTPUT} characters")
        self.out.append(text)


Evaluate = Callable[[Run], Value]
"""An expression."""
Execute = Callable[[Run], None]
"""A piece of a template."""
