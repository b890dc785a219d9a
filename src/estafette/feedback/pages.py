"""The public pages that a recipient may see, in French or English: small, without script, readable by screen readers. Pure.

Nothing of them can be framed, run or loaded from elsewhere (`HEADERS`); everything that came from outside is escaped.
"""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Final

from estafette.audience import LEAVING

STYLE: Final = (
    "body{margin:0;background:#f5f6f8;color:#16202e;font:1.0625rem/1.55 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}"
    "main{box-sizing:border-box;max-width:32rem;margin:12vh auto 0;padding:2rem;background:#fff;border:1px solid #dfe3ea;"
    "border-top:4px solid #f4a62a;border-radius:.75rem}"
    "h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.01em}p{margin:0 0 1.25rem;overflow-wrap:anywhere}"
    "button{min-height:2.75rem;padding:.5rem 1.5rem;border:2px solid #1f4fbf;border-radius:.5rem;background:#1f4fbf;color:#fff;font:inherit;"
    "font-weight:600;cursor:pointer}"
    "button:focus-visible,a:focus-visible{outline:3px solid #c05a00;outline-offset:3px}"
    "button.quiet{background:#fff;color:#1f4fbf}a{color:#1f4fbf}"
    "fieldset{margin:0 0 1.25rem;padding:0;border:0;min-width:0}legend,.field{margin:0 0 .25rem;padding:0;font-weight:600}"
    "label{display:flex;gap:.6rem;align-items:center;min-height:2.25rem;overflow-wrap:anywhere}label.field{display:block}"
    "input[type=checkbox],input[type=radio]{flex:none;width:1.25rem;height:1.25rem;margin:0}"
    "input[type=text],input[type=email],input[type=number],input[type=date],select{box-sizing:border-box;width:100%;min-height:2.75rem;padding:.4rem .6rem;"
    "border:1px solid #6b7686;border-radius:.4rem;background:#fff;color:inherit;font:inherit}.hint{font-weight:400;color:#525d6d}"
    ".wrong{color:#b3261e;font-weight:600}details{margin:1.25rem 0}summary{cursor:pointer;min-height:2rem}.trap{position:absolute;left:-9999px}"
    "button{max-width:100%;overflow-wrap:anywhere}button+button{margin-top:.75rem}"
    ".more{margin:1.25rem 0 0}input:focus-visible,select:focus-visible,summary:focus-visible{outline:3px solid #c05a00;outline-offset:2px}"
    "@media(max-width:33rem){main{margin:0;min-height:100vh;border-radius:0;border-width:4px 0 0;padding:1.5rem 1.25rem}}"
    "@media(prefers-color-scheme:dark){body{background:#0b111c;color:#e8edf5}main{background:#131c2b;border-color:#26334a;border-top-color:#f4a62a}"
    "button{background:#8fb4ff;border-color:#8fb4ff;color:#0b1526}button.quiet{background:#131c2b;color:#8fb4ff}a{color:#8fb4ff}.hint{color:#a9b4c4}"
    ".wrong{color:#ff9b93}input[type=text],input[type=email],input[type=number],input[type=date],select{background:#0b111c;border-color:#8390a3}}"
)
"""The tokens of the dashboard (web/static/app.css), as far as a page of one sentence and one button needs them."""
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("content-security-policy",
     f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("x-robots-tag", "noindex, nofollow"),
)  # fmt: skip
LANGUAGES: Final = ("en", "fr")


class Page(StrEnum):
    """Every page there is."""

    ASK = "ask"  # subscribed: do you want to unsubscribe?
    DONE = "done"  # just unsubscribed
    LEFT_LIST = "left list"  # just unsubscribed from one list, and from nothing else
    ALREADY = "already"  # unsubscribed before: do you want to undo it?
    UNDONE = "undone"  # just subscribed again
    UNKNOWN = "unknown"  # no such link
    REVOKED = "revoked"  # a link that its sender took back
    UNCLEAR = "unclear"  # a POST that orders nothing
    FAILED = "failed"  # we cannot store it now


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    text: str  # {author} and {recipient} are put in
    button: str = ""
    action: str = ""


_WORDS: Final[dict[str, dict[Page, _Words]]] = {
    "en": {
        Page.ASK: _Words("Unsubscribe", "Mailings from {author} will no longer be sent to {recipient}.", "Unsubscribe", "unsubscribe"),
        Page.DONE: _Words("You are unsubscribed", "{recipient} will get no more mailings from {author}.", "Undo: keep me subscribed", "resubscribe"),
        Page.LEFT_LIST: _Words("You are off this list", "{recipient} will no longer get: {list}. Other mailings from {author} go on.", "Undo: keep me on it",
                               "resubscribe"),
        Page.ALREADY: _Words("You are unsubscribed", "{recipient} gets no mailings from {author}.", "Undo: subscribe me again", "resubscribe"),
        Page.UNDONE: _Words("You are subscribed again", "{recipient} will get the mailings from {author} as before.", "Unsubscribe", "unsubscribe"),
        Page.UNKNOWN: _Words("This link is not valid", "It may have been cut off, or it is too old. Please use the link in the mail itself."),
        Page.REVOKED: _Words("This link was withdrawn", "The sender of the mail has taken it back. It leads nowhere any more."),
        Page.UNCLEAR: _Words("Nothing was changed", "Use the button to unsubscribe {recipient} from the mailings of {author}.", "Unsubscribe", "unsubscribe"),
        Page.FAILED: _Words("Please try again later", "Your wish could not be stored just now. Nothing was changed."),
    },
    "fr": {
        Page.ASK: _Words("Se désabonner", "Les envois de {author} ne parviendront plus à {recipient}.", "Me désabonner", "unsubscribe"),
        Page.DONE: _Words("Vous êtes désabonné", "{recipient} ne recevra plus les envois de {author}.", "Annuler : je reste abonné", "resubscribe"),
        Page.LEFT_LIST: _Words("Vous n’êtes plus sur cette liste", "{recipient} ne recevra plus : {list}. Les autres envois de {author} continuent.",
                               "Annuler : j’y reste", "resubscribe"),
        Page.ALREADY: _Words("Vous êtes désabonné", "{recipient} ne reçoit pas les envois de {author}.", "Annuler : me réabonner", "resubscribe"),
        Page.UNDONE: _Words("Vous êtes de nouveau abonné", "{recipient} recevra les envois de {author} comme avant.", "Me désabonner", "unsubscribe"),
        Page.UNKNOWN: _Words("Ce lien n’est pas valable", "Il a peut-être été coupé, ou il est trop ancien. Utilisez le lien qui se trouve dans l’e-mail."),
        Page.REVOKED: _Words("Ce lien a été retiré", "L’expéditeur de l’e-mail l’a désactivé. Il ne mène plus nulle part."),
        Page.UNCLEAR: _Words("Rien n’a été modifié", "Utilisez le bouton pour désabonner {recipient} des envois de {author}.", "Me désabonner", "unsubscribe"),
        Page.FAILED: _Words("Réessayez plus tard", "Votre demande n’a pas pu être enregistrée. Rien n’a été modifié."),
    },
}


_WHY: Final = {"en": "Tell why (optional)", "fr": "Dire pourquoi (facultatif)"}
_OWN_WORDS: Final = {"en": "In your own words", "fr": "Avec vos mots"}
_REASONS: Final = {
    "en": ("Too many mails", "Not interested any more", "I never asked for them", "Hard to read, or broken", "Another reason"),
    "fr": ("Trop d’e-mails", "Plus d’intérêt", "Je ne les ai jamais demandés", "Illisibles ou mal affichés", "Une autre raison"),
}
_CHOOSE: Final = {"en": "Choose what to receive instead", "fr": "Choisir plutôt ce que je reçois"}
_ONLY: Final = {"en": "Leave only: ", "fr": "Quitter seulement : "}
_NOBODY: Final = {"en": "this sender", "fr": "cet expéditeur"}


def page(which: Page, language: str, author: str = "", recipient: str = "", preferences: str = "", list_name: str = "") -> bytes:
    """A whole page. `recipient` is shown masked: whoever holds the link may not be the one it was sent to. `preferences`: the path of the page of
    preferences, where there is one. `list_name`: the list of the mail, where it is not the only one that the recipient is on."""
    language = language if language in LANGUAGES else "en"
    words = _WORDS[language][which]
    named = f"<strong>{escape(author)}</strong>" if author else _NOBODY[language]
    text = escape(words.text).format(author=named, recipient=f"<strong>{escape(masked(recipient))}</strong>",
                                     list=f"<strong>{escape(list_name)}</strong>")  # fmt: skip
    button = ""
    if words.button:
        quiet = ' class="quiet"' if words.action == "resubscribe" else ""
        why = reasons(language) if which is Page.ASK else ""
        only = escape(_ONLY[language] + list_name)
        one = f' <button class="quiet" name="action" value="leave-list">{only}</button>' if which is Page.ASK and list_name else ""
        button = f'<form method="post"><button{quiet} name="action" value="{words.action}">{escape(words.button)}</button>{one}{why}</form>'
    more = f'<p class="more"><a href="{escape(preferences)}">{_CHOOSE[language]}</a></p>' if preferences and words.button else ""
    return document(language, words.title, f'<p role="status">{text}</p>{button}{more}')


def document(language: str, title: str, inside: str) -> bytes:
    """A page around HTML that is ours, or escaped already."""
    return (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{inside}</main></body></html>"
    ).encode()


def reasons(language: str) -> str:
    """Why somebody leaves: a choice and own words, folded up."""
    rows = "".join(f'<label><input type="radio" name="reason" value="{code}">{escape(word)}</label>'
                   for code, word in zip(LEAVING, _REASONS[language], strict=True))  # fmt: skip
    return (f'<details><summary>{_WHY[language]}</summary><fieldset><legend class="hint">{_WHY[language]}</legend>{rows}</fieldset>'
            f'<label class="field">{_OWN_WORDS[language]}<input type="text" name="words" maxlength="300"></label></details>')  # fmt: skip


def masked(address: str) -> str:
    """`j…e@example.com`."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…{local[-1:] if len(local) > 3 else ''}{at}{domain}"


def language_of(wanted: str, accept_language: str) -> str:
    """fr or en: as the link says, else as the browser prefers (RFC 9110 12.5.4), else English."""
    if wanted.lower() in LANGUAGES:
        return wanted.lower()
    best, weight = "en", 0.0
    for entry in accept_language[:500].split(","):
        name, _, parameter = entry.partition(";")
        language = name.strip().lower().partition("-")[0]
        quality = _quality(parameter)
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
