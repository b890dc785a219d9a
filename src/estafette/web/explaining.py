"""What an outcome means for the person who sent the mail, and what can be done: one text per reason, one per line of an SMTP dialogue. Pure.

Texts are English and marked; they are translated where they are shown.
"""

from dataclasses import dataclass
from typing import Final

from estafette.web.languages import marked as _


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason of the contract's table, for people."""

    word: str
    meaning: str
    remedy: str


CAUSES: Final = {
    "user unknown": Cause(_("Unknown address"), _("There is no such mailbox at this provider."),
                          _("Check the spelling with the recipient; remove the address from your lists.")),
    "mailbox inactive": Cause(_("Mailbox closed"), _("The mailbox exists no longer or is switched off."), _("Ask the recipient for another address.")),
    "quota exceeded": Cause(_("Mailbox full"), _("The recipient's mailbox has no room left."), _("Nothing to do: further attempts are made by themselves.")),
    "invalid domain": Cause(_("Domain does not exist"), _("The part behind the @ is no domain that exists."), _("Check the spelling of the domain.")),
    "no mail host": Cause(_("Domain takes no mail"), _("The domain exists, but no mail server is named for it."), _("Check the spelling of the domain.")),
    "relay/access denied": Cause(_("Not in charge"), _("The server says that it does not take mail for this domain."),
                                 _("The recipient's administrator has to correct the MX records.")),
    "greylisted": Cause(_("Asked to come again"), _("The server defers first mail from unknown senders on purpose (greylisting)."),
                        _("Nothing to do: the next attempt normally succeeds.")),
    "sender blocked": Cause(_("Sender blocked"), _("The server does not accept mail from our address or domain."),
                            _("See the answer for the block list or form that it names; check SPF, DKIM and DMARC.")),
    "content blocked": Cause(_("Content refused"), _("The server's filter took the mail for spam or found something in it that it refuses."),
                             _("Look at links, attachments and wording; make the unsubscribe link visible.")),
    "policy issue": Cause(_("Recipient's policy"), _("The recipient's provider has a rule against this mail."), _("The answer names the rule.")),
    "system issue": Cause(_("Trouble at the destination"), _("The receiving system has a problem of its own."),
                          _("Nothing to do: further attempts are made by themselves.")),
    "protocol issue": Cause(_("Misunderstanding"), _("The two servers did not understand each other."), _("Show the dialogue to your administrator.")),
    "connection issue": Cause(_("No connection"), _("The receiving server could not be reached, or broke off."),
                              _("Nothing to do: further attempts are made by themselves.")),
    "preblocked": Cause(_("Failed before"), _("The address failed before; it is not attempted until its block ends."),
                        _("If you know that it works again, unblock it.")),
    "spam reporter": Cause(_("Marked you as spam"), _("The recipient reported an earlier mail as spam."),
                           _("Do not write to this person again unless he asks you to.")),
    "blacklisted": Cause(_("On the block list"), _("The recipient unsubscribed, or somebody put the address on your block list."),
                         _("The block list says since when and why.")),
    "duplicate in campaign": Cause(_("Duplicate in the campaign"), _("This address has had a copy of this campaign already."),
                                   _("Nothing to do: this is what you asked for.")),
    "cancelled": Cause(_("Taken back"), _("Somebody took the message back before it was sent."), _("Nothing to do: this is what you asked for.")),
    "typofix": Cause(_("Misspelt domain"), _("The domain cannot exist as it is written."), _("Correct the address.")),
}  # fmt: skip
"""error of the contract's table 1.4 → words. What is not here is shown as the server said it."""

STAGES: Final = {
    "dns": _("looking up the domain"),
    "connect": _("connecting"),
    "tls": _("starting TLS"),
    "ehlo": _("greeting the server"),
    "mail": _("naming the sender"),
    "rcpt": _("naming the recipient"),
    "data": _("offering the mail"),
    "body": _("transmitting the mail"),
    "report": _("a report that came after the delivery"),
    "deadline": _("waiting until the deadline"),
}

BLOCK_CAUSES: Final = {
    "hard_bounce": _("Permanent error"),
    "soft_bounce": _("Retries exhausted"),
    "complaint": _("Spam complaint"),
    "unsubscribe": _("Unsubscribe"),
    "manual": _("By hand"),
    "import": _("Import"),
}

_COMMANDS: Final = (
    ("EHLO", _("We say who we are and ask what the server offers.")),
    ("HELO", _("We say who we are.")),
    ("STARTTLS", _("We ask to go on encrypted.")),
    ("MAIL FROM", _("We name the address for failure reports.")),
    ("RCPT TO", _("We name the recipient.")),
    ("DATA", _("We announce the mail.")),
    ("BDAT", _("We transmit the mail in pieces of known size.")),
    (".", _("The mail is transmitted; the server has to say whether it takes it.")),
    ("RSET", _("We begin anew.")),
    ("QUIT", _("We say goodbye.")),
)
_REPLIES: Final = {
    "220": _("The server is ready."),
    "221": _("The server says goodbye."),
    "250": _("Accepted."),
    "354": _("The server waits for the mail."),
    "421": _("The server ends the connection for now: we slow down and come again."),
    "450": _("The mailbox cannot be reached for the moment."),
    "451": _("The server has a problem for the moment."),
    "452": _("The server has no room for the moment."),
    "550": _("Refused for good."),
    "552": _("Refused: too large, or the mailbox is full."),
    "554": _("Refused for good."),
}
_CLASSES: Final = {"2": _("Accepted."), "3": _("Go on."), "4": _("Not now: try again later."), "5": _("Refused for good.")}


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line of a dialogue."""

    is_ours: bool
    text: str
    meaning: str  # "" = it needs none


def dialogue(transcript: str) -> list[Spoken]:
    """A transcript, line by line; of a reply over several lines the last one is explained."""
    spoken = []
    for line in transcript.splitlines()[:200]:
        is_ours, text = line.startswith("C:"), line[2:].strip() if line[1:2] == ":" else line.strip()
        spoken.append(Spoken(is_ours, text, _ours(text) if is_ours else _theirs(text)))
    return spoken


def _ours(text: str) -> str:
    upper = text.upper()
    return next((meaning for word, meaning in _COMMANDS if upper.startswith(word)), "")


def _theirs(text: str) -> str:
    if not text[:3].isdigit() or text[3:4] == "-":
        return ""
    return _REPLIES.get(text[:3]) or _CLASSES.get(text[:1], "")
