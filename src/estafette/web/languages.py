"""Which language a page is in, and the words of it: English is what the source says, French comes from the compiled catalogue in `words/`. Pure."""

import gettext
import io
from functools import cache
from importlib.resources import files
from typing import Final

from estafette.feedback.pages import language_of

DOMAIN: Final = "estafette"


@cache
def words(language: str) -> gettext.NullTranslations:
    """The catalogue of a language."""
    if language == "en":
        return gettext.NullTranslations()
    return gettext.GNUTranslations(io.BytesIO(files(__package__).joinpath("words", f"{language}.mo").read_bytes()))


def chosen(of_user: str, cookie: str, accept_language: str) -> str:
    """The user's choice, else the cookie's, else as the browser prefers, else English."""
    return language_of(of_user or cookie, accept_language)


def marked(text: str) -> str:
    """Marks a text for translation where it is written; it is translated where it is shown."""
    return text


def marked_count(context: str, text: str) -> str:
    """The same for a word that counts many ("Délivrés") where the plain one names one ("Délivré"); `context` is always "count"."""
    return text
