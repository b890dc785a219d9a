"""What a resource is: its properties, filters, sorts, key and actions, and the functions that answer for it. Pure.

A description is all there is: routes, validation, `metadata` and the reference page are made from it, and a verb exists when its function is given.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from estafette.api.rest.call import Call

Row = Mapping[str, object]
Values = dict[str, Any]
"""Properties of a request's body by their names, of the right types."""


class Kind(StrEnum):
    """Types as `metadata` names them."""

    INT = "Integer"
    FLOAT = "Double"
    STR = "String"
    BOOL = "Boolean"
    DATE = "TDateTime"  # RFC 3339 out, "" when unset; in: RFC 3339 or Unix seconds, read as microseconds
    ADDRESS = "EmailAddress"  # read as mail.address.Address
    ADDRESSES = "EmailSpec"  # an address, or *@domain; read as text
    LIST = "Array"
    OBJECT = "Object"
    ANY = "Any"


@dataclass(frozen=True, slots=True)
class Property:
    """One field of a row. What is neither `on_create` nor `on_update` is read-only; a read-only one in a request is passed over."""

    name: str
    kind: Kind
    about: str = ""
    on_create: bool = False
    on_update: bool = False
    is_required: bool = False  # on creation
    default: object = ""
    choices: tuple[str, ...] = ()  # of a text; read in any case
    alias: str = ""  # another name that is accepted
    max_length: int = 1000

    @property
    def is_read_only(self) -> bool:
        return not (self.on_create or self.on_update)


def shown(name: str, kind: Kind, about: str = "") -> Property:
    """A read-only property."""
    return Property(name, kind, about)


def fixed(name: str, kind: Kind, about: str = "", **more: Any) -> Property:
    """A property that is given once, on creation."""
    return Property(name, kind, about, on_create=True, **more)


def changing(name: str, kind: Kind, about: str = "", **more: Any) -> Property:
    """A property that may be given on creation and changed later."""
    return Property(name, kind, about, on_create=True, on_update=True, **more)


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter that narrows a list."""

    name: str
    kind: Kind
    about: str = ""
    is_several: bool = False  # a comma list means "one of"; read as a tuple
    is_required: bool = False
    choices: tuple[str, ...] = ()
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list is asked for."""

    limit: int = 10
    offset: int = 0
    sort: str = ""  # a property of `Resource.sorts`, "" = the resource's own order
    is_descending: bool = False
    filters: Mapping[str, Any] = field(default_factory=dict)  # by the filter's name; absent ones are not there
    is_count_only: bool = False
    wants_total: bool = False  # rows, and the true total beside them

    def get(self, name: str) -> Any:
        """The value of a filter, None when it was not given."""
        return self.filters.get(name)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a list, and the true total where it was asked for."""

    rows: Sequence[Row]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an action: `rows` in the envelope, or `raw` as it is (bytes are sent under `media`)."""

    status: int = 200
    rows: Sequence[Row] | None = None
    raw: object = None
    media: str = "application/json"


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done with one row (or, `on_all`, with the resource): `/{resource}/{id}/{action}[/{action id}]`."""

    name: str
    about: str
    properties: tuple[Property, ...] = ()
    on_all: bool = False
    get: "Callable[[Call], Awaitable[Reply]] | None" = None
    post: "Callable[[Call], Awaitable[Reply]] | None" = None
    put: "Callable[[Call], Awaitable[Reply]] | None" = None
    delete: "Callable[[Call], Awaitable[Reply]] | None" = None

    @property
    def verbs(self) -> tuple[str, ...]:
        """Methods that it takes."""
        return tuple(verb for verb in VERBS if getattr(self, verb.lower()) is not None)


VERBS: Final = ("GET", "POST", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource."""

    name: str
    about: str
    properties: tuple[Property, ...]
    filters: tuple[Filter, ...] = ()
    sorts: tuple[str, ...] = ()
    key: str = ""  # what addresses a row beside its ID
    actions: tuple[Action, ...] = ()
    many: "Callable[[Call], Awaitable[Found]] | None" = None
    one: "Callable[[Call], Awaitable[Row | None]] | None" = None  # None: not found
    of_one: "Callable[[Call], Awaitable[Found]] | None" = None  # instead of `one`: what one key has is several rows
    create: "Callable[[Call], Awaitable[Row]] | None" = None
    update: "Callable[[Call], Awaitable[Row | None]] | None" = None  # None: nothing changed
    delete: "Callable[[Call], Awaitable[bool]] | None" = None  # False: not found
    has_long_keys: bool = False  # a key may have a slash in it
    note: str = ""  # what differs from Mailjet, for the reference page

    @property
    def verbs(self) -> tuple[str, ...]:
        """Methods that it takes, actions left aside."""
        given = (self.many or self.one or self.of_one, self.create, self.update, self.delete)
        return tuple(verb for verb, function in zip(VERBS, given, strict=True) if function is not None)

    def action(self, name: str) -> Action | None:
        """By its name in any case."""
        return next((one for one in self.actions if one.name.lower() == name.lower()), None)
