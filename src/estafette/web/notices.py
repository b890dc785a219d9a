"""What a page says after something was done: the address carries a key, never a text. Pure."""

from typing import Final

from estafette.web.languages import marked as _

NOTICES: Final = {
    "lifted": _("The address is unblocked. Mail to it is sent again from now on."),
    "blocked": _("The address is blocked."),
    "not_blocked": _("This address was not blocked."),
    "cancelled": _("The message is taken back: it will not be sent."),
    "too_late": _("Too late: the message is on its way."),
    "resumed": _("The mail goes on. What was held goes out now."),
    "retried": _("The next attempt is made at once."),
    "domain_added": _("The domain was added. Publish the records below, then check again."),
    "domain_verified": _("The domain is verified: you may send from it."),
    "domain_checked": _("The DNS was asked again."),
    "key_switched": _("The key was switched."),
    "role_given": _("The role was given."),
    "role_taken": _("The role was taken away."),
    "password_changed": _("The password was changed. Other sessions were ended."),
    "totp_on": _("Two-factor sign-in is on."),
    "totp_off": _("Two-factor sign-in is off."),
    "signed_out": _("You are signed out."),
    "sessions_ended": _("All other sessions were ended."),
    "test_sent": _("The test message was accepted. Its way is shown here, live."),
    "list_made": _("The list was made."),
    "list_changed": _("The list was changed."),
    "list_deleted": _("The list was deleted. Its contacts stay."),
    "contact_saved": _("The contact was saved."),
    "contact_erased": _("The person is forgotten: address, name, properties and subscriptions are gone."),
    "import_begun": _("The import has begun. You may leave this page."),
    "job_changed": _("The import was changed."),
    "newsletter_saved": _("The newsletter was saved."),
    "newsletter_changed": _("Done."),
    "newsletter_goes": _("The newsletter is scheduled. Until it starts it can be called back."),
    "newsletter_tried": _("The test was accepted. It is under Activity."),
    "findings": _("The newsletter cannot go as it is. What stops it comes first below."),
    "not_now": _("That cannot be done as it stands now."),
    "segment_saved": _("The segment was saved."),
    "segment_deleted": _("The segment was deleted."),
    "webhook_saved": _("The webhook was saved."),
    "webhook_deleted": _("The webhook was deleted."),
}
