"""The mail that asks the owner of an address to confirm, in French and English. Pure.

It says nothing that the person who filled in the form could write: no name, no property. Otherwise the form would send strangers' words to strangers.
"""

from html import escape
from typing import Final

from estafette.audience import FormDefinition
from estafette.mail.address import Address, Mailbox, parse
from estafette.mail.compose import Draft, compose

_WORDS: Final = {
    "en": (
        "Please confirm your subscription: {title}",
        "Somebody asked with this address for: {title}.",
        "If it was you, open this page and press the button:",
        "Confirm the subscription",
        "The link is good until {day}. If it was not you, do nothing: without your word nothing will be sent to you, and the request will be forgotten.",
    ),
    "fr": (
        "Confirmez votre inscription : {title}",
        "Une inscription a été demandée avec cette adresse : {title}.",
        "Si c’était vous, ouvrez cette page et appuyez sur le bouton :",
        "Confirmer l’inscription",
        "Le lien est valable jusqu’au {day}. Si ce n’était pas vous, ne faites rien : sans votre accord, rien ne vous sera envoyé et la demande sera oubliée.",
    ),
}


def confirmation_mail(definition: FormDefinition, title: str, to: Address, url: str, day: str, randomness: bytes) -> bytes:
    """The whole mail. `title`: what is subscribed to; `day`: until when the link is good. Raises HeaderError."""
    subject, said, do, button, otherwise = (text.format(title=title, day=day) for text in _WORDS[definition.language])
    text = f"{said}\r\n\r\n{do}\r\n\r\n{url}\r\n\r\n{otherwise}\r\n"
    html = (
        f'<!DOCTYPE html><html lang="{definition.language}"><head><meta charset="utf-8"><title>{escape(subject)}</title></head>'
        f'<body style="font-family:sans-serif;font-size:16px;line-height:1.5;color:#16202e">\r\n<p>{escape(said)}</p>\r\n<p>{escape(do)}</p>\r\n'
        f'<p><a href="{escape(url)}" style="display:inline-block;padding:10px 20px;background:#1f4fbf;color:#ffffff;text-decoration:none;font-weight:bold">'
        f'{escape(button)}</a></p>\r\n<p style="color:#525d6d">{escape(otherwise)}</p>\r\n</body></html>\r\n'
    )
    author = Mailbox(definition.author_name, parse(definition.author))
    return compose(Draft(author, (Mailbox("", to),), subject=subject, text=text, html=html, headers=(("Auto-Submitted", "auto-generated"),)), randomness)
