"""What goes over the wire, as types: the OpenAPI file and the reference page are made from them. Pure.

They describe; what decides are the readers (`fields.py`, `send_rules.py`, ...), which tell everything that is wrong at once and match names whatever their
case. A test sees to it that both know the same properties.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Text = Annotated[str, Meta(max_length=8192)]
Line = Annotated[str, Meta(max_length=255)]
Switch = Literal["account_default", "disabled", "enabled"]
Level = Annotated[int, Meta(ge=0, le=3)]
Number = Annotated[int, Meta(ge=0, description="Below 2^53; larger for later messages.")]


class Person(Struct):
    """An address with a name."""

    Email: Annotated[str, Meta(min_length=3, max_length=254)]
    Name: Line = ""


class Attachment(Struct):
    """A file."""

    ContentType: Annotated[str, Meta(min_length=3, max_length=255)]
    Filename: Annotated[str, Meta(min_length=1, max_length=255)]
    Base64Content: Annotated[str, Meta(min_length=1, description="Strict base64; white space in it is ignored. 15 MiB in all.")]


class InlinedAttachment(Attachment):
    """A file that the HTML refers to as cid:."""

    ContentID: Annotated[str, Meta(min_length=1, max_length=255)]


class Message(Struct):
    """One mail of a call. One of TextPart, HTMLPart and TemplateID is needed."""

    From: Annotated[Person | None, Meta(description="Needed unless the template brings it. A verified sender of the account.")] = None
    Sender: Person | None = None
    To: Annotated[list[Person] | None, Meta(description="Needed here or in the Globals. To, Cc and Bcc: at most 50 different addresses.")] = None
    Cc: list[Person] | None = None
    Bcc: list[Person] | None = None
    ReplyTo: Annotated[Person | list[Person] | None, Meta(description="Several: our extension, at most 10.")] = None
    Subject: Line | None = None
    TextPart: str | None = None
    HTMLPart: str | None = None
    TemplateID: Annotated[int | None, Meta(description="Instead of HTMLPart.")] = None
    TemplateLanguage: bool | None = None
    TemplateErrorReporting: Annotated[Person | None, Meta(description="Needs TemplateLanguage.")] = None
    TemplateErrorDeliver: bool | None = None
    Variables: Annotated[dict[str, Any] | None, Meta(description="For the template; no null in it.")] = None
    Attachments: list[Attachment] | None = None
    InlinedAttachments: list[InlinedAttachment] | None = None
    Priority: Annotated[Level | None, Meta(description="2 by default.")] = None
    CustomID: Text | None = None
    EventPayload: Text | None = None
    CustomCampaign: Line | None = None
    DeduplicateCampaign: Annotated[bool | None, Meta(description="Needs CustomCampaign.")] = None
    TrackOpens: Switch | None = None
    TrackClicks: Switch | None = None
    URLTags: Annotated[str, Meta(max_length=256)] | None = None
    MonitoringCategory: Text | None = None
    SendAt: Annotated[str | int | None, Meta(description="Our extension: RFC 3339 with a zone, or seconds since 1970; at most 90 days ahead.")] = None
    Headers: Annotated[dict[str, str | int | float] | None, Meta(description="Not those that have a property or belong to the platform.")] = None


class SendCall(Struct):
    """POST /v3.1/send."""

    Messages: Annotated[list[Message], Meta(min_length=1, max_length=50)]
    Globals: Annotated[Message | None, Meta(description="Defaults under every message.")] = None
    SandboxMode: bool | None = None
    AdvanceErrorHandling: bool | None = None


class Problem(Struct):
    """What is wrong with one message, or with a call."""

    ErrorIdentifier: str
    StatusCode: int
    ErrorMessage: str
    ErrorCode: Annotated[str, Meta(description="send-0003, mj-0004, ...; absent where the contract has none.")] = ""
    ErrorRelatedTo: list[str] = field(default_factory=list)


class SentTo(Struct):
    """A recipient's message."""

    Email: str
    MessageUUID: str
    MessageID: Number
    MessageHref: str


class SentMessage(Struct):
    """What became of one entry of Messages: To, Cc and Bcc when it succeeded, Errors when it did not."""

    Status: Literal["success", "error"]
    CustomID: str = ""
    To: list[SentTo] = field(default_factory=list)
    Cc: list[SentTo] = field(default_factory=list)
    Bcc: list[SentTo] = field(default_factory=list)
    Errors: list[Problem] = field(default_factory=list)


class SendAnswer(Struct):
    """One entry per message, in order."""

    Messages: list[SentMessage]


class OlderRecipient(Struct):
    """Gets a mail of his own."""

    Email: Annotated[str, Meta(min_length=3, max_length=254)]
    Name: Line | None = None
    Vars: dict[str, Any] | None = None


class OlderMessage(Struct, rename=lambda name: name.replace("_", "-")):
    """The older form of a message. Names are matched whatever their dashes."""

    FromEmail: Annotated[str, Meta(min_length=3, max_length=254)]
    FromName: Line | None = None
    Recipients: Annotated[list[OlderRecipient], Meta(min_length=1, max_length=50)] | None = None
    To: Annotated[str | None, Meta(description="Addresses with commas between them; not with Recipients.")] = None
    Cc: str | None = None
    Bcc: str | None = None
    Subject: Line | None = None
    Text_part: str | None = None
    Html_part: str | None = None
    Mj_TemplateID: Annotated[int | str | None, Meta(description="Its id, or its name.")] = None
    Mj_TemplateLanguage: bool | int | str | None = None
    MJ_TemplateErrorReporting: str | None = None
    MJ_TemplateErrorDeliver: bool | int | str | None = None
    Vars: dict[str, Any] | None = None
    Headers: dict[str, str | int | float] | None = None
    Mj_prio: Level | None = None
    Mj_campaign: Line | None = None
    Mj_deduplicatecampaign: bool | int | None = None
    Mj_trackopen: Annotated[int, Meta(ge=0, le=2)] | None = None
    Mj_trackclick: Annotated[int, Meta(ge=0, le=2)] | None = None
    Mj_CustomID: Text | None = None
    Mj_EventPayLoad: Text | None = None
    Mj_MonitoringCategory: Text | None = None


class OlderSent(Struct):
    """A recipient's message."""

    Email: str
    MessageID: Number
    MessageUUID: str


class OlderAnswer(Struct):
    """One row per recipient."""

    Sent: list[OlderSent]


class OlderProblem(Struct):
    """Why a call was refused, on `/v3`."""

    ErrorInfo: str | dict[str, str]  # per property on `/v3/REST`
    ErrorMessage: str
    StatusCode: int
    ErrorIdentifier: str


class RawAnswer(Struct):
    """One row per recipient."""

    Messages: list[SentTo]


class MessageRow(Struct):
    """A message. See docs/reference/http-api.md for every field."""

    ID: Number
    UUID: str
    Status: Literal["queued", "deferred", "sent", "opened", "clicked", "unsub", "spam", "softbounced", "hardbounced", "blocked"]
    StateID: int
    ArrivedAt: str
    CustomID: str


class MessageList(Struct):
    """The envelope of lists."""

    Count: int
    Data: list[MessageRow]
    Total: int


class Statistics(Struct):
    """Figures and rates of a period, with their definitions named."""

    Definitions: str
    Timing: str
    From: str
    To: str
    By: str
    WithoutMachines: bool
    Count: int
    Data: list[dict[str, Any]]


class GuardOrders(Struct):
    """The reputation guard's orders for the account."""

    Count: int
    Held: Annotated[int, Meta(description="Messages that wait because of an order.")]
    Data: list[dict[str, Any]]


class FeedEvent(Struct):
    """An event of the account."""

    id: str
    kind: str
    at: str
    message_id: Number


class Feed(Struct):
    """Events in the order in which they count; go on from Next."""

    Count: int
    Data: list[FeedEvent]
    Next: str


class WebhookCallRow(Struct):
    """A call of a webhook."""

    ID: int
    WebhookID: int
    Url: str
    At: str
    Status: Annotated[int, Meta(description="0: no answer.")]
    Trouble: str
    DurationMs: int
    Events: list[str]
    Body: str
    Answer: str


class WebhookCalls(Struct):
    """Newest first."""

    Count: int
    Data: list[WebhookCallRow]


class ToldAgain(Struct):
    """The event that is told once more."""

    Count: int
    Data: list[dict[str, str]]


class PreviewError(Struct):
    """What would block the message."""

    ErrorMessage: str
    Reason: Annotated[str, Meta(description="As the message would show it: error in template language, bad or empty template.")]
    Line: int
    Column: int
    Variable: Annotated[str, Meta(description="The name that is unknown, when it is one.")]
    Part: Annotated[str, Meta(description="Subject, TextPart or HTMLPart.")]


class Preview(Struct):
    """The texts as they would be; with an error without the tags that failed."""

    Subject: str
    TextPart: str
    HTMLPart: str
    Error: PreviewError | None


class FormQuestion(Struct):
    """A contact property that a form asks for."""

    Property: Annotated[str, Meta(description="Its name.")]
    Label: Annotated[str, Meta(max_length=200, description="Empty: the name.")] = ""
    IsRequired: bool = False


class FormCall(Struct):
    """A subscription form, as it is made or changed."""

    Name: Annotated[str, Meta(min_length=1, max_length=100, description="For the account only.")] = ""
    ListID: int = 0
    Language: Literal["en", "fr"] = "en"
    Author: Annotated[str, Meta(description="Who writes the mail that asks to confirm; a verified sender of the account.")] = ""
    AuthorName: Annotated[str, Meta(max_length=200)] = ""
    Title: Annotated[str, Meta(max_length=200, description="The heading, and what the mail says one subscribes to; by default the list's name.")] = ""
    Intro: Annotated[str, Meta(max_length=1000)] = ""
    Words: Annotated[str, Meta(max_length=2000, description="Of the consent, with a box to tick; kept with every subscription.")] = ""
    Questions: Annotated[list[FormQuestion], Meta(max_length=20)] = field(default_factory=list)
    AsksName: bool = False
    DoubleOptIn: Annotated[bool, Meta(description="The subscription waits until the owner of the address has confirmed it.")] = True
    Redirect: Annotated[str, Meta(max_length=1000, description="Where the browser goes afterwards; empty: a page of ours.")] = ""
    IsActive: bool = True


class Form(FormCall):
    """A subscription form with what came of it."""

    ID: int = 0
    Url: str = ""
    Snippet: Annotated[str, Meta(description="The form as HTML for any page.")] = ""
    Asked: int = 0
    Confirmed: int = 0
    Refused: Annotated[int, Meta(description="By the trap for programs, or as too many.")] = 0
    CreatedAt: str = ""
    UpdatedAt: str = ""


class Forms(Struct):
    """By ID."""

    Count: int
    Data: list[Form]


class Consent(Struct):
    """A proof of what was done about a person's place on a list."""

    ID: int
    At: str
    Act: Literal["asked", "confirmed", "subscribed", "unsubscribed", "removed", "excluded", "included", "paused", "resumed"]
    ListID: Annotated[int, Meta(description="0: about all lists.")]
    ListName: str
    Source: Annotated[str, Meta(description="By which way: api, import, job, dashboard, form, link, mail, preferences.")]
    Evidence: str
    IP: Annotated[str, Meta(description="Cut to its network unless the operator keeps whole ones.")]
    Words: Annotated[str, Meta(description="That were agreed to.")]
    Reason: Annotated[str, Meta(description="Why somebody left: too_many, not_interested, not_asked, hard_to_read, other, or own words.")]


class Consents(Struct):
    """Newest first."""

    Count: int
    Data: list[Consent]


class Health(Struct):
    """Whether requests are taken."""

    status: str
