"""The public pages of subscribing, in French and English, and the form as plain HTML for a customer's own page. Pure; looks and headers of `feedback.pages`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import Final

from estafette.audience import ContactProperty, FormDefinition, PropertyKind
from estafette.feedback.pages import document, masked

TRAP: Final = "website"
"""The field that no person sees: whoever fills it in is a program."""
INPUTS: Final = {PropertyKind.STR: ("text", ""), PropertyKind.INT: ("number", ' step="1"'), PropertyKind.FLOAT: ("number", ' step="any"'),
                 PropertyKind.DATETIME: ("date", "")}  # fmt: skip
MAX_ANSWER: Final = 500


class Said(StrEnum):
    """A page that says one thing."""

    ASKED = "asked"  # look into your mailbox
    SUBSCRIBED = "subscribed"
    CONFIRM = "confirm"  # a button
    CONFIRMED = "confirmed"
    LATE = "late"  # the link is not good any more
    UNKNOWN = "unknown"  # no such form or link
    MUCH = "much"  # asked too often
    FAILED = "failed"


_SAID: Final = {
    "en": {
        Said.ASKED: ("Look into your mailbox", "A mail is on its way to {address}. The subscription begins when you follow the link in it. Nothing came? "
                     "Look into the folder for spam; several requests for one address get a few mails only."),
        Said.SUBSCRIBED: ("Thank you", "Your request for {address} is stored."),
        Said.CONFIRM: ("Confirm your subscription", "You will get: {title}, at {address}."),
        Said.CONFIRMED: ("You are subscribed", "{address} will get: {title}. Each mail has a link to leave."),
        Said.LATE: ("This link is no longer valid", "It is too old, or what it belongs to is gone. Please fill in the form once more."),
        Said.UNKNOWN: ("There is no such page", "The form or the link does not exist, or was switched off."),
        Said.MUCH: ("Please try again later", "There were too many requests from where you are. Nothing was stored."),
        Said.FAILED: ("Please try again later", "Your request could not be stored just now."),
    },
    "fr": {
        Said.ASKED: ("Consultez votre boîte", "Un e-mail est en route vers {address}. L’inscription commence quand vous suivez le lien qu’il contient. "
                     "Rien reçu ? Regardez dans les indésirables ; plusieurs demandes pour une adresse ne donnent que quelques e-mails."),
        Said.SUBSCRIBED: ("Merci", "Votre demande pour {address} est enregistrée."),
        Said.CONFIRM: ("Confirmez votre inscription", "Vous recevrez : {title}, à {address}."),
        Said.CONFIRMED: ("Vous êtes inscrit", "{address} recevra : {title}. Chaque e-mail contient un lien pour se désabonner."),
        Said.LATE: ("Ce lien n’est plus valable", "Il est trop ancien, ou ce à quoi il mène n’existe plus. Remplissez le formulaire encore une fois."),
        Said.UNKNOWN: ("Cette page n’existe pas", "Le formulaire ou le lien n’existe pas, ou a été désactivé."),
        Said.MUCH: ("Réessayez plus tard", "Trop de demandes sont venues de votre réseau. Rien n’a été enregistré."),
        Said.FAILED: ("Réessayez plus tard", "Votre demande n’a pas pu être enregistrée."),
    },
}  # fmt: skip
_BUTTON: Final = {"en": "Confirm the subscription", "fr": "Confirmer l’inscription"}
_FORM: Final = {
    "en": {"email": "E-mail address", "name": "Name", "send": "Subscribe", "empty": "Leave this field empty", "needed": "required", "title": "Subscribe",
           "once": "One more press of the button, so that no program does it for you.", "address": "This is not an e-mail address.",
           "value": "This cannot be read.", "missing": "Please fill this in.", "agree": "Please tick the box if you agree.", "yes": "yes"},
    "fr": {"email": "Adresse e-mail", "name": "Nom", "send": "S’inscrire", "empty": "Laissez ce champ vide", "needed": "obligatoire", "title": "Inscription",
           "once": "Appuyez encore une fois, pour qu’aucun programme ne le fasse à votre place.", "address": "Ce n’est pas une adresse e-mail.",
           "value": "Cette valeur ne peut pas être lue.", "missing": "Remplissez ce champ.", "agree": "Cochez la case si vous êtes d’accord.", "yes": "oui"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filled:
    """What a person gave so far, and what was wrong with it: field → key of a sentence."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    asks_once_more: bool = False


def said(which: Said, language: str, address: str = "", title: str = "") -> bytes:
    """A page that says one thing; CONFIRM has a button. The address is shown in part."""
    heading, text = _SAID[language][which]
    shown = escape(text).format(address=f"<strong>{escape(masked(address))}</strong>", title=f"<strong>{escape(title)}</strong>")
    button = f'<form method="post"><button name="action" value="confirm">{_BUTTON[language]}</button></form>' if which is Said.CONFIRM else ""
    return document(language, heading, f'<p role="status">{shown}</p>{button}')


def form_page(definition: FormDefinition, properties: Sequence[ContactProperty], token: str, filled: Filled = Filled()) -> bytes:
    """The form on a page of ours; `token`: when it was shown."""
    words = _FORM[definition.language]
    intro = f"<p>{escape(definition.intro)}</p>" if definition.intro else ""
    once = f'<p role="status">{escape(words["once"])}</p>' if filled.asks_once_more else ""
    hidden = f'<input type="hidden" name="shown" value="{escape(token)}">'
    fields = _fields(definition, properties, filled)
    inside = f'{intro}{once}<form method="post" accept-charset="utf-8">{hidden}{fields}<p><button>{escape(words["send"])}</button></p></form>'
    return document(definition.language, definition.title or words["title"], inside)


def snippet(definition: FormDefinition, properties: Sequence[ContactProperty], url: str) -> str:
    """The form as HTML for any page: no script, no style but the one that hides the trap."""
    words = _FORM[definition.language]
    fields = _fields(definition, properties, Filled()).replace(' class="trap"', ' style="position:absolute;left:-9999px"')
    fields = fields.replace(' class="field"', "").replace(' class="hint"', "")
    lines = fields.replace("</p><p", "</p>\n<p")
    return f'<form method="post" action="{escape(url)}" accept-charset="utf-8">\n{lines}\n<p><button>{escape(words["send"])}</button></p>\n</form>\n'


def _fields(definition: FormDefinition, properties: Sequence[ContactProperty], filled: Filled) -> str:
    words, known = _FORM[definition.language], {one.id: one for one in properties}
    rows = [_row("email", words["email"], "email", ' autocomplete="email" maxlength="254"', True, definition.language, filled)]
    if definition.asks_name:
        rows.append(_row("name", words["name"], "text", ' autocomplete="name" maxlength="200"', False, definition.language, filled))
    for question in definition.questions:
        one = known.get(question.property_id)
        if one is None:
            continue  # the property was deleted since
        name, label = f"p{one.id}", question.label or one.name
        if one.kind is PropertyKind.BOOL:
            rows.append(_box(name, label, question.is_required, definition.language, filled))
        else:
            kind, more = INPUTS[one.kind]
            more = f'{more} maxlength="{MAX_ANSWER}"' if kind == "text" else more
            rows.append(_row(name, label, kind, more, question.is_required, definition.language, filled))
    if definition.words:
        rows.append(_box("agree", definition.words, True, definition.language, filled))
    trap = f'<p class="trap" aria-hidden="true"><label>{escape(words["empty"])}<input type="text" name="{TRAP}" tabindex="-1" autocomplete="off"></label></p>'
    return "".join([*rows, trap])


def _row(name: str, label: str, kind: str, more: str, is_required: bool, language: str, filled: Filled) -> str:
    words, problem = _FORM[language], filled.problems.get(name, "")
    value = f' value="{escape(filled.values[name])}"' if filled.values.get(name) else ""
    required = " required" if is_required else ""
    mark = f' <span class="hint">({words["needed"]})</span>' if is_required else ""
    told = f'<span class="wrong" id="{name}-wrong">{escape(words[problem])}</span>' if problem else ""
    described = f' aria-invalid="true" aria-describedby="{name}-wrong"' if problem else ""
    head = f'<p><label class="field" for="{name}">{escape(label)}{mark}</label>'
    return f'{head}<input type="{kind}" id="{name}" name="{name}"{value}{required}{more}{described}>{told}</p>'


def _box(name: str, label: str, is_required: bool, language: str, filled: Filled) -> str:
    problem = filled.problems.get(name, "")
    checked = " checked" if filled.values.get(name) == "yes" else ""
    told = f'<span class="wrong">{escape(_FORM[language][problem])}</span>' if problem else ""
    required = " required" if is_required else ""
    return f'<p><label><input type="checkbox" name="{name}" value="yes"{checked}{required}>{escape(label)}</label>{told}</p>'
