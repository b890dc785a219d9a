"""django-anymail (PyPI), unmodified: the setting MAILJET_API_URL is all that is changed."""

import email
import email.policy
from typing import Any

import pytest
from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage, attach_inline_image
from django.core.mail import get_connection

from tests.clients.conftest import Ground
from tests.peers import django_settings
from tests.scenarios.platform import DOMAIN

django_settings.configure()


def connection(ground: Ground, **changes: Any) -> Any:
    options = {"api_key": ground.key, "secret_key": ground.secret, "api_url": f"{ground.url}/v3.1/"} | changes
    return get_connection("anymail.backends.mailjet.EmailBackend", **options)


def message(ground: Ground, *to: str, **more: Any) -> AnymailMessage:
    return AnymailMessage(subject="Hello", body="Hi", from_email=f"Me <news@{DOMAIN}>", to=list(to), connection=connection(ground), **more)


def test_a_mail_with_everything(ground: Ground) -> None:
    mail = message(ground, "any-a@dest.example", cc=["any-b@dest.example"], reply_to=[f"re@{DOMAIN}"], headers={"X-One": "1"},
                   metadata={"order": 7}, tags=["may"], track_opens=True, track_clicks=False)  # fmt: skip
    cid = attach_inline_image(mail, b"GIF89a", filename="x.gif", subtype="gif")
    mail.attach_alternative(f'<p>Hi <img src="cid:{cid}"></p>', "text/html")
    mail.attach("état.csv", "a;b", "text/csv")
    assert mail.send() == 1
    status = mail.anymail_status
    assert status.status == {"sent"}
    arrived, _ = ground.mails_to("any-a@dest.example", "any-b@dest.example")
    assert status.recipients["any-a@dest.example"].message_id == str(ground.platform.messages("--to", "any-a@dest.example")[0]["id"])
    read = email.message_from_bytes(arrived.content, policy=email.policy.default)
    assert (read["Reply-To"], read["X-One"]) == (f"re@{DOMAIN}", "1")
    assert {part.get_filename() for part in read.walk()} >= {"état.csv", "x.gif"}


def test_a_merge_is_one_message_for_each_over_globals(ground: Ground) -> None:
    """anymail puts what is shared into Globals and one message per recipient beside it."""
    mail = message(ground, "any-m1@dest.example", "any-m2@dest.example", merge_data={"any-m1@dest.example": {"n": "1"}, "any-m2@dest.example": {}},
                   merge_global_data={"n": "0", "g": "g"})  # fmt: skip
    mail.body = "[[var:n]] [[var:g]]"
    assert mail.send() == 1
    one, two = ground.mails_to("any-m1@dest.example", "any-m2@dest.example")
    assert (one.content.rstrip().endswith(b"1 g"), two.content.rstrip().endswith(b"0 g")) == (True, True)
    assert b"any-m2" not in one.content


@pytest.mark.parametrize(("author", "to"), [(f"news@{DOMAIN}", "x" * 70 + "@dest.example"), ("x@elsewhere.example", "any-f@dest.example")])
def test_a_message_that_is_refused(ground: Ground, author: str, to: str) -> None:
    mail = message(ground, to)
    mail.from_email = author
    mail.send()
    assert mail.anymail_status.status == {"failed"}
    assert mail.anymail_status.message_id is None


def test_a_wrong_secret(ground: Ground) -> None:
    mail = message(ground, "any-w@dest.example")
    mail.connection = connection(ground, secret_key="wrong")
    with pytest.raises(AnymailAPIError, match="API key authentication/authorization failure"):
        mail.send()
