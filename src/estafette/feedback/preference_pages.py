"""The page of preferences in French and English, and what a form of it asks for. Pure; looks and headers are those of `pages.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import Final

from estafette.audience import Choices
from estafette.clock import DAY_US, to_iso
from estafette.feedback.pages import document, masked, reasons

PAUSES: Final = (30, 90, 180)
"""Days for which mailings can be paused."""
MAX_LISTS: Final = 200


class Wish(StrEnum):
    """What the form can ask for."""

    SAVE = "save"
    LEAVE = "leave"  # all mailings of the account
    RETURN = "return"
    UNMEASURED = "unmeasured"  # openings and clicks are not to be kept, of mail that was sent before either
    MEASURED = "measured"  # they may be again


@dataclass(frozen=True, slots=True)
class Asked:
    """A form that was read."""

    wish: Wish
    shown: frozenset[int] = frozenset()  # the lists that the page showed
    wanted: frozenset[int] = frozenset()
    language: str = ""
    pause_days: int | None = None  # 0 = no pause any more, None = as it is


def read_form(fields: Sequence[tuple[str, str]]) -> Asked | None:
    """None for a form that orders nothing, or two things, or what no page of ours offers."""
    wishes = [value for name, value in fields if name == "wish"]
    if len(wishes) != 1 or wishes[0] not in tuple(Wish):
        return None
    shown, wanted = (frozenset(_number(value) for one, value in fields if one == name) for name in ("shown", "list"))
    language = next((value for name, value in fields if name == "language"), "")
    pause = next((value for name, value in fields if name == "pause"), "keep")
    if 0 in shown | wanted or len(shown) > MAX_LISTS or not wanted <= shown or language not in ("", *_WORDS) or pause not in ("keep", "0", *map(str, PAUSES)):
        return None
    return Asked(Wish(wishes[0]), shown, wanted, language, None if pause == "keep" else int(pause))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


_WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "title": "What you receive", "intro": "Mailings from {author} to {recipient}.", "lists": "Mailings", "language": "Language of these pages",
        "pause": "Pause", "keep": "No change", "none": "No pause", "days": "No mailings for {days} days", "paused": "Mailings are paused until {day}.",
        "save": "Save", "leave": "Receive nothing any more", "left": "You receive no mailings. Choose what you want again, or leave it so.",
        "return": "Receive the mailings again", "saved": "Your choice is stored.", "gone": "You will receive no more mailings.",
        "back": "You will receive the mailings again.", "unclear": "Nothing was changed. Please use the buttons below.", "nothing": "You are on no list.",
        "own": "My data: a copy, or be forgotten",
        "measuring": "Openings and clicks of these mails may be measured.", "unmeasured": "Your openings and clicks are not measured, in older mails either.",
        "unmeasure": "Do not measure my reading", "measure": "My reading may be measured",
    },
    "fr": {
        "title": "Ce que vous recevez", "intro": "Envois de {author} à {recipient}.", "lists": "Envois", "language": "Langue de ces pages",
        "pause": "Pause", "keep": "Sans changement", "none": "Pas de pause", "days": "Aucun envoi pendant {days} jours",
        "paused": "Les envois sont suspendus jusqu’au {day}.", "save": "Enregistrer", "leave": "Ne plus rien recevoir",
        "left": "Vous ne recevez plus d’envois. Choisissez ce que vous voulez de nouveau, ou laissez ainsi.", "return": "Recevoir de nouveau les envois",
        "saved": "Votre choix est enregistré.", "gone": "Vous ne recevrez plus d’envois.", "back": "Vous recevrez de nouveau les envois.",
        "unclear": "Rien n’a été modifié. Utilisez les boutons ci-dessous.", "nothing": "Vous n’êtes sur aucune liste.",
        "own": "Mes données : une copie, ou être oublié", "measuring": "Les ouvertures et les clics de ces e-mails peuvent être mesurés.",
        "unmeasured": "Vos ouvertures et vos clics ne sont pas mesurés, même dans les anciens e-mails.",
        "unmeasure": "Ne pas mesurer ma lecture", "measure": "Ma lecture peut être mesurée",
    },
}  # fmt: skip
_NAMES: Final = {"en": "English", "fr": "Français"}
_NOBODY: Final = {"en": "this sender", "fr": "cet expéditeur"}


def preference_page(language: str, author: str, recipient: str, known: Choices, notice: str = "", own_data: str = "", is_measured: bool = True) -> bytes:
    """The whole page. `notice`: the key of a sentence above it: saved, gone, back, unclear; `own_data`: where a person asks for what is kept;
    `is_measured`: whether openings and clicks may be kept."""
    words = _WORDS[language]
    named = f"<strong>{escape(author)}</strong>" if author else _NOBODY[language]
    head = f"<p>{escape(words['intro']).format(author=named, recipient=f'<strong>{escape(masked(recipient))}</strong>')}</p>"
    said = f'<p role="status"><strong>{escape(words[notice])}</strong></p>' if notice else ""
    if known.left_at is not None and notice != "gone":
        said += f"<p>{escape(words['left'])}</p>"
    if known.paused_until is not None:
        said += f"<p>{escape(words['paused'].format(day=_day(known.paused_until, language)))}</p>"
    form = _choosing(language, known) if known.contact_id else ""
    own = f'<p class="more"><a href="{escape(own_data)}">{escape(words["own"])}</a></p>' if own_data else ""
    return document(language, words["title"], f"{head}{said}{form}{_leaving(language, known)}{_measuring(language, is_measured)}{own}")


def _choosing(language: str, known: Choices) -> str:
    words = _WORDS[language]
    rows = "".join(
        f'<input type="hidden" name="shown" value="{place.list_id}"><label><input type="checkbox" name="list" value="{place.list_id}"'
        f"{'' if place.is_unsubscribed or known.left_at is not None else ' checked'}>{escape(place.name)}</label>"
        for place in known.places
    )
    lists = f"<fieldset><legend>{words['lists']}</legend>{rows}</fieldset>" if rows else f"<p>{words['nothing']}</p>"
    keep = [("keep", words["keep"])] if known.paused_until is not None else []
    pauses = [*keep, ("0", words["none"]), *[(str(days), words["days"].format(days=days)) for days in PAUSES]]
    chosen = _select("pause", words["pause"], pauses, "")
    languages = _select("language", words["language"], list(_NAMES.items()), language)
    return f'<form method="post">{lists}{chosen}{languages}<p><button name="wish" value="{Wish.SAVE}">{words["save"]}</button></p></form>'


def _select(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> str:
    rows = "".join(f'<option value="{value}"{" selected" if value == chosen else ""}>{escape(word)}</option>' for value, word in options)
    return f'<p><label class="field" for="{name}">{escape(label)}</label><select id="{name}" name="{name}">{rows}</select></p>'


def _leaving(language: str, known: Choices) -> str:
    words = _WORDS[language]
    wish, word, why = (Wish.RETURN, words["return"], "") if known.left_at is not None else (Wish.LEAVE, words["leave"], reasons(language))
    return f'<form method="post"><button class="quiet" name="wish" value="{wish}">{word}</button>{why}</form>'


def _measuring(language: str, is_measured: bool) -> str:
    words = _WORDS[language]
    said, wish, word = ("measuring", Wish.UNMEASURED, "unmeasure") if is_measured else ("unmeasured", Wish.MEASURED, "measure")
    return f'<form method="post" class="more"><p>{escape(words[said])}</p><button class="quiet" name="wish" value="{wish}">{words[word]}</button></form>'


def pause_end(days: int, now: int) -> int:
    """When a pause ends."""
    return now + days * DAY_US if days else 0


def _day(at: int, language: str) -> str:
    year, month, day = to_iso(at)[:10].split("-")
    return f"{day}/{month}/{year}" if language == "fr" else f"{year}-{month}-{day}"
