"""May this account write as this author? A verified address, or any address of a verified domain.

A verified domain covers exactly itself: example.com does not cover news.example.com, which another account may own.
"""

from estafette.mail.address import AddressError, Mailbox, parse_mailboxes
from estafette.mail.header import Header
from estafette.model import Authors


class AuthorError(ValueError):
    """The mail has no author that can be judged; the text says why."""


def author_of(header: Header) -> Mailbox:
    """The one author of a mail: exactly one From field (RFC 5322 3.6) with exactly one address."""
    fields = header.all("From")
    if len(fields) != 1:
        raise AuthorError("the mail has no From field" if not fields else "the mail has more than one From field")
    try:
        found = parse_mailboxes(fields[0].value)
    except AddressError as error:
        raise AuthorError(f"the From field is not an address: {error}") from None
    if len(found) != 1:
        raise AuthorError("the From field must hold exactly one address")
    return found[0]


def may_write_as(authors: Authors, author: Mailbox) -> bool:
    """True when the address or its whole domain is verified for the account."""
    return author.address.key in authors.addresses or author.address.domain in authors.domains


def remedy(author: Mailbox) -> str:
    """What the refusal says: the address and what to do."""
    a = author.address
    return (
        f"{a} is not a verified sender of this account. Verify it with "
        f"`estafette sender add {a} --account NAME --verified` or its domain with `estafette domain add {a.domain} --account NAME --verified`"
    )
