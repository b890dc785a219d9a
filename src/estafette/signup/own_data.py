"""A person asks for a copy of what is kept, or to be forgotten: the pages, the mail that asks to confirm, and the token of its link. Pure.

Whoever holds a link of a mail may ask; only who reads the mailbox can confirm. The token holds the link to unsubscribe that was used, and with it account
and address.
"""

import base64
from dataclasses import dataclass
from enum import IntEnum
from html import escape
from typing import Final

from estafette.clock import DAY_US, SECOND_US
from estafette.feedback.pages import document, masked
from estafette.mail.address import Address, Mailbox, parse
from estafette.mail.compose import Draft, compose
from estafette.mail.token import Keyring, make_token, read_token

KIND: Final = "own data"
MAX_TOKEN: Final = 1200
GOOD_FOR_US: Final = DAY_US


class Wish(IntEnum):
    """What is asked for; the numbers stand in tokens."""

    COPY = 1
    FORGET = 2


WORDS: Final = {Wish.COPY: "copy", Wish.FORGET: "forget"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands in the link of the mail."""

    wish: Wish
    expires_at: int
    link: str  # the token of the link to unsubscribe


def make_asked(wish: Wish, expires_at: int, link: str, keyring: Keyring) -> str:
    """`link`: a token that was found to be ours."""
    octets = base64.urlsafe_b64decode(link + "=" * (-len(link) % 4))
    return make_token(KIND, bytes([wish]) + (expires_at // SECOND_US).to_bytes(5, "big") + octets, keyring)


def read_asked(token: str, keyring: Keyring) -> Asked | None:
    """None for what we did not make."""
    payload = read_token(KIND, token, keyring) if len(token) <= MAX_TOKEN and token.isascii() else None
    if payload is None or len(payload) < 7 or payload[0] not in tuple(Wish):
        return None
    link = base64.urlsafe_b64encode(payload[6:]).decode().rstrip("=")
    return Asked(Wish(payload[0]), int.from_bytes(payload[1:6], "big") * SECOND_US, link)


_PAGES: Final = {
    "en": {
        "ask": ("My data", "What {author} keeps of {recipient}. A mail is sent to this address; its link is good for a day, and only who reads the mailbox "
                "can use it."),
        "sent": ("Look into your mailbox", "A mail is on its way to {recipient}. Its link is good for a day; several requests get a few mails only."),
        "copy": ("A copy of my data", "One file with everything that {author} keeps of {recipient}."),
        "forget": ("Forget me", "{author} forgets {recipient}: name, lists, answers, proofs. Finished mails keep a random address in its place. "
                   "It cannot be undone."),
        "forgotten": ("You are forgotten", "{author} keeps nothing of {recipient} any more, except that no mailings are wanted where you said so."),
        "late": ("This link is no longer valid", "It is too old. Please ask once more."),
        "unable": ("This cannot be asked here", "The mail is too old to answer it. Please write to its sender."),
    },
    "fr": {
        "ask": ("Mes données", "Ce que {author} garde de {recipient}. Un e-mail est envoyé à cette adresse ; son lien est valable un jour, et seul le lecteur "
                "de cette boîte peut s’en servir."),
        "sent": ("Consultez votre boîte", "Un e-mail est en route vers {recipient}. Son lien est valable un jour ; plusieurs demandes ne donnent que quelques "
                 "e-mails."),
        "copy": ("Une copie de mes données", "Un fichier avec tout ce que {author} garde de {recipient}."),
        "forget": ("Oubliez-moi", "{author} oublie {recipient} : nom, listes, réponses, preuves. Les e-mails terminés gardent une adresse aléatoire à sa "
                   "place. C’est sans retour."),
        "forgotten": ("Vous êtes oublié", "{author} ne garde plus rien de {recipient}, sauf le refus des envois là où vous l’avez dit."),
        "late": ("Ce lien n’est plus valable", "Il est trop ancien. Demandez encore une fois."),
        "unable": ("Impossible ici", "L’e-mail est trop ancien pour y répondre. Écrivez à son expéditeur."),
    },
}  # fmt: skip
_BUTTONS: Final = {
    "en": {Wish.COPY: "Send me a link to a copy", Wish.FORGET: "Send me a link to be forgotten", "copy": "Download the copy", "forget": "Forget me for good"},
    "fr": {Wish.COPY: "Envoyez-moi un lien vers une copie", Wish.FORGET: "Envoyez-moi un lien pour être oublié", "copy": "Télécharger la copie",
           "forget": "M’oublier définitivement"},
}  # fmt: skip
_NOBODY: Final = {"en": "this sender", "fr": "cet expéditeur"}
_MAIL: Final = {
    "en": ({Wish.COPY: "A copy of your data: please confirm", Wish.FORGET: "To be forgotten: please confirm"},
           "Somebody who has a mail of ours to this address asked for it. If it was you, open this page and press the button:",
           "The link is good for a day. If it was not you, do nothing: nothing happens then."),
    "fr": ({Wish.COPY: "Une copie de vos données : confirmez", Wish.FORGET: "Être oublié : confirmez"},
           "Une personne qui a un de nos e-mails à cette adresse l’a demandé. Si c’était vous, ouvrez cette page et appuyez sur le bouton :",
           "Le lien est valable un jour. Si ce n’était pas vous, ne faites rien : rien ne se passera."),
}  # fmt: skip


def own_data_page(which: str, language: str, author: str, recipient: str) -> bytes:
    """A page: ask, sent, copy, forget, forgotten, late, unable. Those of a wish have its button."""
    title, text = _PAGES[language][which]
    named = f"<strong>{escape(author)}</strong>" if author else _NOBODY[language]
    said = escape(text).format(author=named, recipient=f"<strong>{escape(masked(recipient))}</strong>")
    buttons = ""
    if which == "ask":
        buttons = "".join(f'<p><button class="quiet" name="wish" value="{WORDS[wish]}">{_BUTTONS[language][wish]}</button></p>' for wish in Wish)
    elif which in WORDS.values():
        buttons = f'<p><button name="wish" value="{which}">{_BUTTONS[language][which]}</button></p>'
    return document(language, title, f'<p role="status">{said}</p>' + (f'<form method="post">{buttons}</form>' if buttons else ""))


def own_data_mail(wish: Wish, language: str, author: str, to: Address, url: str, randomness: bytes) -> bytes:
    """The whole mail. `author`: who wrote the mail whose link was used. Raises HeaderError and AddressError."""
    subjects, said, otherwise = _MAIL[language]
    text, headers = f"{said}\r\n\r\n{url}\r\n\r\n{otherwise}\r\n", (("Auto-Submitted", "auto-generated"),)
    return compose(Draft(Mailbox("", parse(author)), (Mailbox("", to),), subject=subjects[wish], text=text, headers=headers), randomness)
