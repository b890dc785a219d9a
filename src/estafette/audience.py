"""The nouns of whom one writes to: contacts, their properties, lists, subscriptions, segments, and jobs on many contacts. Rules as in `model.py`."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class PropertyKind(StrEnum):
    """What values a contact property takes."""

    STR = "str"
    INT = "int"
    FLOAT = "float"
    DATETIME = "datetime"  # kept as microseconds since 1970
    BOOL = "bool"


PropertyValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class ContactProperty:
    """The definition of a property; one of its name (in any case) in the account."""

    id: int
    account_id: int
    name: str
    kind: PropertyKind
    created_at: int = 0
    fallback: PropertyValue | None = None  # what mails say for who has no value


@dataclass(frozen=True, slots=True)
class Contact:
    """A person that an account writes to; one of its address in the account."""

    id: int
    account_id: int
    address: str  # as it was given
    address_key: str
    name: str = ""
    is_excluded: bool = False  # gets no campaign of any list
    excluded_at: int | None = None  # when that was last changed
    properties: dict[int, PropertyValue] = field(default_factory=dict)  # by ContactProperty.id
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True, slots=True)
class ContactList:
    """A list of contacts."""

    id: int  # 0 = not yet in the store
    account_id: int
    name: str  # one of its kind among the account's lists that are not deleted
    address: str  # local part of its own address; random
    subscribers: int = 0  # those who have not unsubscribed
    created_at: int = 0
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A contact on a list."""

    id: int
    list_id: int
    contact_id: int
    is_unsubscribed: bool
    subscribed_at: int
    unsubscribed_at: int | None
    source: str  # by which way it came to be as it is: api, import, form, link, ...
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A subscription with what lists of them show beside it."""

    subscription: Subscription
    address: str
    name: str
    is_excluded: bool
    list_name: str


class ListAction(StrEnum):
    """What is done with a contact and a list (contract section 8)."""

    ADD_FORCE = "addforce"  # subscribe, also who had unsubscribed
    ADD_NO_FORCE = "addnoforce"  # add who is not on it; an unsubscription stays
    REMOVE = "remove"
    UNSUBSCRIBE = "unsub"  # who is not on it is put there as unsubscribed


@dataclass(frozen=True, slots=True)
class ContactChange:
    """What is to become of one contact, which is made when there is none. None = stays as it is."""

    address: str
    address_key: str
    name: str | None = None
    is_excluded: bool | None = None
    properties: dict[int, PropertyValue | None] = field(default_factory=dict)  # a value of None takes the property away


@dataclass(frozen=True, slots=True)
class Trace:
    """How a change came about; kept with every subscription that it touches, and as a proof (`ConsentAct`)."""

    source: str
    evidence: str = ""
    ip: str = ""  # of the person, as the privacy settings let it be kept
    words: str = ""  # that were agreed to
    reason: str = ""  # why somebody left


class Act(StrEnum):
    """What was done about a person's place on a list."""

    ASKED = "asked"  # an address was given, and is to be confirmed
    CONFIRMED = "confirmed"  # by the owner of the address
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"  # of all lists when the list is 0
    REMOVED = "removed"  # taken off the list
    EXCLUDED = "excluded"  # from the campaigns of all lists
    INCLUDED = "included"  # again
    PAUSED = "paused"  # no mailings until a day; the day stands in the evidence
    RESUMED = "resumed"


@dataclass(frozen=True, slots=True)
class ConsentAct:
    """A proof: rows of them are added, never changed, and go with the person."""

    id: int
    account_id: int
    contact_id: int
    list_id: int  # 0 = about all lists of the account
    act: Act
    trace: Trace
    at: int
    list_name: str = ""  # as it is called now; "" = gone, or about all


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contact stands towards the account's lists as a whole."""

    is_opt_in_pending: bool = False  # a subscription waits to be confirmed
    unsubscribed_at: int | None = None  # the newest of what holds now: of one list, or of all
    unsubscribed_by: str = ""  # by which way that was: link, api, dashboard, ...
    is_complaining: bool = False  # they have said that it is spam, and nobody has lifted the block


@dataclass(frozen=True, slots=True)
class Place:
    """A contact's place on a list, as the person sees it."""

    list_id: int
    name: str
    is_unsubscribed: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person gets from an account: what the page of preferences shows."""

    contact_id: int  # 0 = the address is no contact
    language: str
    places: tuple[Place, ...]
    left_at: int | None  # since when no mailing of the account is wanted
    paused_until: int | None


LEAVING: Final = ("too_many", "not_interested", "not_asked", "hard_to_read", "other")
"""The reasons to leave that are offered; people may say it in their own words instead."""


@dataclass(frozen=True, slots=True)
class OptIn:
    """A subscription that waits for the second word of the person. No contact is made of it before."""

    id: int  # 0 = not yet in the store
    account_id: int
    list_id: int
    form_id: int  # 0 = by none
    address: str
    address_key: str
    name: str
    properties: dict[int, PropertyValue]  # by ContactProperty.id
    language: str
    ip: str
    words: str
    asked_at: int
    expires_at: int
    confirmed_at: int | None = None


class JobStatus(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    COMPLETED = "completed"  # entries may have failed, each with its reason
    FAILED = "failed"  # as a whole
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class JobOrders:
    """What a job does to its contacts; kept as JSON."""

    lists: tuple[tuple[int, str], ...] = ()  # (list id, ListAction)
    keeps_known: bool = False  # contacts that exist already keep their name and properties
    excludes: bool | None = None  # exclude from campaigns, include again, or neither
    source_list: int = 0  # kind "list": whose contacts
    field_names: tuple[str, ...] = ()  # kind "csv": instead of the header row
    max_errors: int = 0  # more than so many end the job; 0 = any number
    method: str = ""  # as the caller called it
    encoding: str = ""  # kind "csv": "" = guessed, as the separator
    separator: str = ""
    mapping: tuple[tuple[str, str], ...] = ()  # kind "csv": (column's name, property or "email", "" = passed over); others keep their names
    statement: str = ""  # how these people agreed, as the importer says; a proof of every place that the job gives


@dataclass(frozen=True, slots=True)
class ContactJob:
    """Work on many contacts."""

    id: int
    account_id: int
    kind: str  # contacts | csv | list
    orders: JobOrders
    upload_id: int = 0
    status: JobStatus = JobStatus.WAITING
    done: int = 0
    total: int = 0
    errors: int = 0
    problem: str = ""
    created_at: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class JobError:
    """An entry of a job that could not be taken."""

    position: int  # from 1
    entry: str
    reason: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A named expression over contacts."""

    id: int
    account_id: int
    name: str
    expression: str
    description: str = ""
    created_at: int = 0
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A property that a subscription form asks for."""

    property_id: int
    label: str
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class FormDefinition:
    """What a subscription form says and does; kept as JSON."""

    language: str  # en, fr
    author: str  # who writes the mail that asks to confirm; a verified sender of the account
    author_name: str = ""
    title: str = ""  # the heading
    intro: str = ""
    words: str = ""  # of the consent, with a box to tick; "" = no box
    questions: tuple[Question, ...] = ()
    asks_name: bool = False
    is_double: bool = True  # the subscription waits until the owner of the address has confirmed it
    redirect: str = ""  # where the browser goes afterwards; "" = a page of ours


@dataclass(frozen=True, slots=True)
class SignUpForm:
    """A form by which people subscribe to a list."""

    id: int  # 0 = not yet in the store
    account_id: int
    key: str  # in its address; random
    name: str
    list_id: int
    definition: FormDefinition
    is_active: bool = True
    asked: int = 0
    confirmed: int = 0
    refused: int = 0
    created_at: int = 0
    updated_at: int = 0
