"""What the checks of a newsletter say, in words that can be translated; `newsletters/checks.py` finds it. Pure."""

from typing import Final

from estafette.newsletters.checks import Weight
from estafette.newsletters.life import State
from estafette.web.languages import marked as _

FINDINGS: Final = {
    "author_not_verified": _("%(author)s is not a verified sender of this account."),
    "not_signed": _("Mail from %(domain)s is not signed: there is no DKIM key of the domain."),
    "author_missing": _("The author is not an address."),
    "list_missing": _("There is no list, or it was deleted."),
    "list_empty": _("Nobody is subscribed to the list %(list)s."),
    "segment_broken": _("The segment cannot be used: %(problem)s."),
    "subject_missing": _("There is no subject."),
    "texts_missing": _("There is neither HTML nor text."),
    "template_broken": _("The texts cannot be read: %(problem)s."),
    "names_unknown": _("The texts name what nobody has: %(names)s."),
    "subject_long": _("The subject has %(characters)s characters; phones show about 40."),
    "subject_shouts": _("The subject is all in capitals."),
    "not_fillable": _("For %(people)s of %(of)s contacts that were tried the texts cannot be filled: %(problem)s."),
    "unsubscribe_inserted": _("The HTML has no link to unsubscribe: one is put at its end."),
    "html_long": _("The HTML has %(octets)s octets; from %(limit)s on Gmail shows a part only, without the link to unsubscribe."),
    "images_without_text": _("%(images)s of %(of)s images have no text for who does not see them."),
    "script": _("The HTML holds a script: mail programs take it out, filters distrust it."),
    "link_empty": _("A link leads nowhere: “%(link)s”."),
    "link_shortened": _("A link goes through %(host)s: filters distrust shortened addresses."),
    "no_links": _("The HTML has no link."),
}
WEIGHTS: Final = {
    Weight.STOPS: ("bad", "cross", _("stops the newsletter")),
    Weight.WARNS: ("warn", "warning", _("should be looked at")),
    Weight.TELLS: ("", "info", _("good to know")),
}
STATES: Final = {
    State.DRAFT: _("draft"),
    State.SCHEDULED: _("scheduled"),
    State.FREEZING: _("recipients are prepared"),
    State.SENDING: _("is being sent"),
    State.PAUSED: _("paused"),
    State.FINISHED: _("finished"),
    State.CANCELLED: _("cancelled"),
}
