"""What the API offers, as a table: each operation with its parameters, its body and its answers. The OpenAPI file and the reference page come from it. Pure."""

from dataclasses import dataclass
from typing import Final

from estafette.api import shapes


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value in the path, the query or the header."""

    name: str
    place: str  # path, query, header
    text: str
    type: object = str
    is_required: bool = False
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path."""

    method: str
    path: str
    title: str
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: object = None
    body_type: str = "application/json"
    answers: tuple[tuple[int, object], ...] = ()  # a type, several of which one, or None for an answer without a body
    problem: object = shapes.Problem  # the shape of every other answer
    is_open: bool = False  # needs no key


KEY: Final = Parameter("Idempotency-Key", "header", "For 24 hours the same key with the same request gets the first answer, and nothing is sent again.")
_ID: Final = Parameter("id", "path", "A MessageID.", is_required=True)
_FORM: Final = Parameter("id", "path", "A form's ID.", int)
_SENT: Final = (shapes.SendAnswer, shapes.Problem)

OPERATIONS: Final = (
    Operation(
        "POST", "/v3.1/send", "Send up to 50 messages",
        "Each message is judged for itself: valid ones are sent even when others are not, and the answer is then 400 (403 when every problem is one).",
        (KEY,), shapes.SendCall, answers=((200, shapes.SendAnswer), (400, _SENT), (403, _SENT)),
    ),
    Operation(
        "POST", "/v3/send", "Send, in the older form", "One message, or an array of them under `Messages`; when one is not acceptable, nothing is sent.",
        (KEY,), shapes.OlderMessage, answers=((200, shapes.OlderAnswer),), problem=shapes.OlderProblem,
    ),
    Operation(
        "POST", "/v3/send/message", "Send, in the older form", "The same as /v3/send.",
        (KEY,), shapes.OlderMessage, answers=((200, shapes.OlderAnswer),), problem=shapes.OlderProblem,
    ),
    Operation(
        "POST", "/v1/estafette/raw", "Send a whole mail", "The body is a mail as of RFC 5322; its X-MJ-* headers are obeyed and taken off.",
        (
            Parameter("to", "query", "A recipient. Without it those of the mail's own To, Cc and Bcc.", is_repeated=True),
            Parameter("from", "query", "The reverse-path; by default the author."),
            Parameter("sendAt", "query", "RFC 3339 with a zone, or seconds since 1970."), KEY,
        ), bytes, "message/rfc822", ((200, shapes.RawAnswer),),
    ),
    Operation(
        "POST", "/v1/estafette/preview", "See what a message would be", "Nothing is sent. From and To may be left out; it is shown for the first recipient.",
        (), shapes.Message, answers=((200, shapes.Preview),),
    ),
    Operation(
        "DELETE", "/v1/estafette/messages/{id}", "Take back a message that waits",
        "Only what waits for its first attempt; it is blocked, with the reason cancelled.", (_ID,), answers=((204, None),),
    ),
    Operation(
        "GET", "/v1/estafette/events", "The feed of events", "A reader that always goes on from `Next` misses nothing.",
        (Parameter("after", "query", "`Next` of an earlier answer."), Parameter("limit", "query", "100 by default, at most 1000.", int)),
        answers=((200, shapes.Feed),),
    ),
    Operation(
        "POST", "/v1/estafette/events/{id}/again", "Tell webhooks of one event once more", parameters=(Parameter("id", "path", "An event's id."),),
        answers=((202, shapes.ToldAgain),),
    ),
    Operation(
        "GET", "/v1/estafette/webhook-calls", "The calls of the account's webhooks", "Of the last week, newest first.",
        (
            Parameter("limit", "query", "50 by default, at most 1000.", int), Parameter("before", "query", "An ID to go on from."),
            Parameter("webhook", "query", "Only this one's.", int), Parameter("failed", "query", "1: only what failed.", int),
        ), answers=((200, shapes.WebhookCalls),),
    ),
    Operation(
        "GET", "/v1/estafette/statistics", "Figures and rates", "Of a period: whole, per slice, provider, campaign or sender.",
        (
            Parameter("from", "query", "RFC 3339 or seconds since 1970; 30 days ago by default."), Parameter("to", "query", "As from; now by default."),
            Parameter("by", "query", "5m, hour, day, provider, campaign, sender; one row by default."), Parameter("timing", "query", "message or event."),
            Parameter("definitions", "query", "status-page or api."), Parameter("campaign", "query", "Its id."), Parameter("sender", "query", "An address."),
            Parameter("door", "query", "smtp, http, campaign."), Parameter("provider", "query", "A mailbox provider."),
            Parameter("machines", "query", "0: without what only machines did."),
        ), answers=((200, shapes.Statistics),),
    ),
    Operation(
        "GET", "/v1/estafette/guard", "What the reputation guard ordered", "Orders in force.", (Parameter("all", "query", "1: lifted ones too.", int),),
        answers=((200, shapes.GuardOrders),),
    ),
    Operation("GET", "/v1/estafette/forms", "Subscription forms", answers=((200, shapes.Forms),)),
    Operation("POST", "/v1/estafette/forms", "Make a subscription form", "What it may be is told field by field.", (), shapes.FormCall,
              answers=((200, shapes.Form),)),
    Operation("GET", "/v1/estafette/forms/{id}", "One subscription form", parameters=(_FORM,), answers=((200, shapes.Form),)),
    Operation("PUT", "/v1/estafette/forms/{id}", "Change a subscription form", "What is not given stays.", (_FORM,), shapes.FormCall,
              answers=((200, shapes.Form),)),
    Operation("DELETE", "/v1/estafette/forms/{id}", "Delete a subscription form", "What it brought stays; what waits can still be confirmed.", (_FORM,),
              answers=((204, None),)),
    Operation(
        "GET", "/v1/estafette/contacts/{id}/consents", "Proofs of one person's consent", "Newest first; go on with the last ID as before.",
        (Parameter("id", "path", "A ContactID."), Parameter("limit", "query", "100 by default, at most 1000.", int),
         Parameter("before", "query", "An ID to go on from.", int)), answers=((200, shapes.Consents),),
    ),
    Operation("GET", "/healthz", "Fit to take requests?", answers=((200, shapes.Health), (503, shapes.Health)), is_open=True),
)  # fmt: skip
"""Whoever adds a route adds its operation; routes under /v3/REST come from their resources."""
