"""What was done about somebody's place on a list, in words that can be translated. Pure."""

from typing import Final

from estafette.audience import Act
from estafette.web.languages import marked as _

ACTS: Final = {
    Act.ASKED: _("asked for it"),
    Act.CONFIRMED: _("confirmed by mail"),
    Act.SUBSCRIBED: _("subscribed"),
    Act.UNSUBSCRIBED: _("unsubscribed"),
    Act.REMOVED: _("taken off the list"),
    Act.EXCLUDED: _("excluded from campaigns"),
    Act.INCLUDED: _("included in campaigns again"),
    Act.PAUSED: _("mailings paused"),
    Act.RESUMED: _("mailings resumed"),
}
WAYS: Final = {
    "api": _("by a program"),
    "import": _("by an import"),
    "job": _("by a job"),
    "dashboard": _("in the dashboard"),
    "form": _("by a subscription form"),
    "link": _("by the link in a mail"),
    "mail": _("by a mail to unsubscribe"),
    "preferences": _("on the preference page"),
}
REASONS: Final = {
    "too_many": _("too many mails"),
    "not_interested": _("not interested any more"),
    "not_asked": _("never asked for them"),
    "hard_to_read": _("hard to read, or broken"),
    "other": _("another reason"),
}
"""What people may say when they leave; anything else that stands there is their own words."""
