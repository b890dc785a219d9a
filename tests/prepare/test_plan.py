"""What a submission asks for, what is the same for all recipients, and what is left alone and why."""

import email
import email.policy
import re
import time
from dataclasses import replace

import pytest

from estafette.demo.people import links_of
from estafette.mail.dkim import SigningKey, sign
from estafette.mail.header import read_header
from estafette.mail.token import Keyring
from estafette.model import Content, Options
from estafette.prepare import tokens
from estafette.prepare.plan import Plan, make_plan, pending_signatures, transaction
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import Consent, LeftOff, Offer, Tracking
from tests.prepare.test_golden import KEYS, RING, URL, claim_of, signed, verifies

HEADER = b"From: a@example.com\r\nTo: b@example.net\r\nSubject: s\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
HTML = HEADER + b'Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>\xc3\xa9 <a href="https://x.example/">t</a></p>\r\n'
TEXT = HEADER + b"Content-Type: text/plain\r\n\r\nHello  \r\n\r\n\r\n"
FULL = Tracking("https://t.example", RING, OpenMode.FULL, clicks=True)
NOTHING = Tracking("https://t.example", RING, offer=Offer.NONE)


def plan(raw: bytes, tracking: Tracking | None, options: Options | None = None, keys: list[SigningKey] = KEYS) -> Plan:
    return make_plan(Content(9_000, 42, "bounce@example.com", "a@example.com", options or Options(), 0, False, raw), keys, tracking)


def mail(raw: bytes, tracking: Tracking, options: Options | None = None, consent: Consent | None = None) -> bytes:
    made = plan(raw, tracking, options)
    if not made.is_personal:
        return made.mail
    copy = made.copy_for(claim_of(), consent) if consent else made.copy_for(claim_of())
    return copy.head + copy.body


def kinds(raw: bytes) -> str:
    """c for each click, h for the hidden link, o for a pixel, u for each link to unsubscribe, in the order of the mail."""
    found = [(kind, tokens.read_click(token, RING)) for kind, token in URL.findall(raw.decode("utf-8", "replace"))]
    return "".join("h" if click is not None and click.number == tokens.TRAP_LINK else kind for kind, click in found)


@pytest.mark.parametrize("tracking", [None, NOTHING, replace(NOTHING, offer=Offer.TAGS), FULL])
def test_a_mail_that_nothing_is_put_into_goes_out_as_it_came_and_is_signed_once(tracking: Tracking | None) -> None:
    made = plan(TEXT, tracking)
    assert not made.is_personal and made.mail is made.content.raw
    reference = plan(TEXT, None)
    assert (made.signed, made.hash_of_body) == (reference.signed, reference.hash_of_body)
    assert [p.to_sign for _, p in pending_signatures(made, 5)] == [p.to_sign for _, p in pending_signatures(reference, 5)]
    fields, octets = signed(made, claim_of())
    assert octets == TEXT and verifies(fields + octets)


def test_without_keys_nothing_is_signed() -> None:
    made = plan(HTML, FULL, keys=[])
    copy = made.copy_for(claim_of())
    assert (copy.signed, copy.hash_of_body, pending_signatures(made, 5, copy)) == (None, b"", [])
    assert kinds(copy.body) == "cho"


@pytest.mark.parametrize(
    ("opens", "clicks", "options", "expected", "mode"),
    [
        (OpenMode.FULL, True, Options(), "cho", OpenMode.FULL),
        (OpenMode.OFF, True, Options(), "ch", None),
        (OpenMode.FULL, False, Options(), "o", OpenMode.FULL),
        (OpenMode.OFF, False, Options(), "", None),
        (OpenMode.FULL, True, Options(track_opens=False), "ch", None),
        (OpenMode.FULL, True, Options(track_clicks=False), "o", OpenMode.FULL),
        (OpenMode.OFF, False, Options(track_opens=True, track_clicks=True), "cho", OpenMode.FULL),
        (OpenMode.LAST_DATE, False, Options(), "o", OpenMode.LAST_DATE),
        (OpenMode.LAST_DATE, False, Options(track_opens=True), "o", OpenMode.LAST_DATE),  # asks to be counted, not for less privacy
        (OpenMode.LAST_DATE, False, Options(track_opens=False), "", None),
    ],
)
def test_the_mails_own_word_comes_before_the_accounts(opens: OpenMode, clicks: bool, options: Options, expected: str, mode: OpenMode | None) -> None:
    made = mail(HTML, replace(FULL, opens=opens, clicks=clicks), options)
    assert kinds(made) == expected
    found = [tokens.read_open(token, RING) for kind, token in URL.findall(made.decode()) if kind == "o"]
    assert [one.mode for one in found if one] == ([mode] if mode else [])


@pytest.mark.parametrize(("consent", "expected"), [(Consent(), "cho"), (Consent(opens=False), "ch"), (Consent(clicks=False), "o"), (Consent(False, False), "")])
def test_consent_is_each_recipients_own(consent: Consent, expected: str) -> None:
    made = plan(HTML, FULL)
    copy = made.copy_for(claim_of(), consent)
    assert kinds(copy.body) == expected
    assert kinds(made.copy_for(claim_of()).body) == "cho"
    if not expected:
        assert copy.head + copy.body == HTML
    fields = b"".join(p.complete(b"") for _, p in pending_signatures(made, 5, copy))
    assert fields.count(b"bh=") == 2


def test_every_letter_of_a_consent_is_signed_rightly() -> None:
    made = plan(HTML, replace(FULL, offer=Offer.LINK, unsubscribe_domain="b.example"))
    for consent in (Consent(opens, clicks) for opens in (True, False) for clicks in (True, False)):
        copy = made.copy_for(claim_of(), consent)
        fields = b"".join(p.complete(sign(key, p.to_sign)) for key, p in pending_signatures(made, 5, copy))
        assert verifies(fields + copy.head + copy.body)


def test_a_campaign_offers_unsubscribing_in_the_header_only() -> None:
    made = mail(TEXT, replace(NOTHING, unsubscribe_domain="b.example"), Options(campaign="may"))
    header = read_header(made)
    [field] = header.all("List-Unsubscribe")
    [(kind, token)] = URL.findall(field.value)
    found = tokens.read_unsubscribe(token, RING)
    assert kind == "u" and found == tokens.Unsubscribe(42, 9_001, tokens.campaign_mark("may"), 0, "", "jo+x@example.net")
    local = re.findall(r"<mailto:([^@>]+)@b\.example\?subject=unsubscribe>", field.value)
    [leaving] = [tokens.read_unsubscribe_address(one, RING) for one in local]
    assert leaving == tokens.Leaving(9_001, 42, 0, leaving.key_id, tokens.leaving_mark("jo+x@example.net", RING, leaving.key_id))
    assert [one.value for one in header.all("List-Unsubscribe-Post")] == ["List-Unsubscribe=One-Click"]
    assert made.partition(b"\r\n\r\n")[2] == TEXT.partition(b"\r\n\r\n")[2]


def test_the_body_hash_is_made_once_when_only_the_header_is_personal() -> None:
    made = plan(TEXT, NOTHING, Options(campaign="may"))
    first, second = made.copy_for(claim_of(1)), made.copy_for(claim_of(2))
    assert made.is_personal and first.head != second.head
    assert first.hash_of_body == second.hash_of_body == plan(TEXT, None).hash_of_body


def test_a_tag_in_the_body_offers_it_in_the_header_too() -> None:
    assert kinds(mail(TEXT + b"[[UNSUB_LINK_FR]]\r\n", replace(NOTHING, offer=Offer.TAGS))) == "uu"
    assert kinds(mail(TEXT + b"[[UNSUB_LINK_FR]]\r\n", NOTHING)) == ""
    assert b"mailto:" not in mail(TEXT + b"[[UNSUB_LINK_FR]]\r\n", replace(NOTHING, offer=Offer.TAGS))


@pytest.mark.parametrize(
    ("tag", "language"),
    [("[[UNSUB_LINK_DE]]", "de"), ("[[unsub_link_fr]]", ""), ("%5B%5BUNSUB_LINK_IT%5D%5D", "it"), ("{{mj:unsub_link}}", "en"), ("{{ mj:unsub_link_fr }}", "fr"),
     ("%7B%7Bmj:unsub_link_fr%7D%7D", "fr"), ("https://[[UNSUB_LINK_EN]]", "en"), ("[[UNSUB_LINK]]", "en")],
)  # fmt: skip
def test_spellings_of_the_tag(tag: str, language: str) -> None:
    body = mail(TEXT + f"<{tag}>\r\n".encode(), replace(NOTHING, offer=Offer.TAGS)).partition(b"\r\n\r\n")[2].decode()
    found = re.findall(r"<https://t\.example/u/([\w-]+)>", body)
    read = [tokens.read_unsubscribe(token, RING) for token in found]
    assert [one.language for one in read if one] == ([language] if language else [])


def test_the_submitters_list_unsubscribe_is_kept() -> None:
    raw = HTML.replace(b"Subject:", b"list-unsubscribe: <https://own.example/l>\r\nSubject:")
    made = mail(raw, replace(FULL, offer=Offer.LINK))
    assert len(read_header(made).all("List-Unsubscribe")) == 1 and read_header(made).all("List-Unsubscribe-Post") == []
    assert kinds(made) == "chuo"


def test_footers_speak_the_languages_that_are_asked_for() -> None:
    letter = replace(NOTHING, offer=Offer.LINK)
    assert b"Unsubscribe</a>" in mail(HTML, letter)
    assert b"Se d&eacute;sinscrire</a>" in mail(HTML, replace(letter, language="fr"))
    assert b"Se d&eacute;sinscrire</a>" in mail(HTML.replace(b"<p>", b"<html lang='fr-CA'><p>"), letter)
    assert b"Pour ne plus recevoir ces messages : https://" in mail(TEXT, replace(letter, language="fr"))
    assert b"To unsubscribe: https://" in mail(TEXT, replace(letter, language="de"))


def test_a_feedback_id_names_campaign_account_stream_and_us() -> None:
    tracking = replace(NOTHING, sender_id="estafette")
    assert read_header(plan(TEXT, tracking).mail).all("Feedback-ID")[0].value == "42:mail:estafette"
    assert not plan(TEXT, tracking).is_personal
    made = mail(TEXT, tracking, Options(campaign="may"))
    assert read_header(made).all("Feedback-ID")[0].value == f"{tokens.campaign_mark('may'):08x}:42:bulk:estafette"
    own = TEXT.replace(b"Subject:", b"Feedback-ID: mine\r\nSubject:")
    assert plan(own, tracking).mail == own
    fields, octets = signed(plan(TEXT, tracking), claim_of())
    assert verifies(fields + octets)


def test_url_tags_alone_are_the_same_for_all() -> None:
    made = plan(HTML, NOTHING, Options(url_tags="utm_source=may&x=1"))
    assert not made.is_personal and b'<a href="https://x.example/?utm_source=may&amp;x=1">' in made.mail
    tracked = mail(HTML, FULL, Options(url_tags="utm_source=may&x=1"))
    [click, _] = [tokens.read_click(token, RING) for kind, token in URL.findall(tracked.decode()) if kind == "c"]
    assert click and click.url == "https://x.example/?utm_source=may&x=1"


def test_the_hidden_link_leads_where_the_first_one_does_and_no_person_sees_it() -> None:
    raw = HTML + b'<a href="https://x.example/2">t</a>'
    made = mail(raw, FULL).decode()
    clicks = [tokens.read_click(token, RING) for kind, token in URL.findall(made) if kind == "c"]
    assert [(click.number, click.url) for click in clicks if click] == [
        (0, "https://x.example/"), (1, "https://x.example/2"), (tokens.TRAP_LINK, "https://x.example/")]  # fmt: skip
    assert kinds(made.encode()) == "ccho"
    followed, seen = links_of(made), links_of(made, is_seen=True)  # by the scanners and the readers of the demo
    assert len(followed) == 3 and seen == followed[:2]
    assert "display:none" not in mail(HTML.replace(b"https:", b"mailto:"), FULL).decode()  # no link is tracked: nothing to protect


def test_text_links_when_asked() -> None:
    raw = TEXT + b"(see https://x.example/a_(b)?q=1&copy=2).\r\n"
    assert kinds(mail(raw, FULL)) == ""
    made = mail(raw, replace(FULL, text_links=True))
    [click] = [tokens.read_click(token, RING) for kind, token in URL.findall(made.decode()) if kind == "c"]
    assert click and click.url == "https://x.example/a_(b)?q=1&copy=2" and made.endswith(b").\r\n")


def test_a_mail_that_its_submitter_signed_is_left_alone_when_we_cannot_sign_it_anew() -> None:
    raw = b"DKIM-Signature: v=1; d=example.com; b=x\r\n" + HTML
    made = plan(raw, replace(FULL, offer=Offer.LINK, sender_id="estafette"), keys=[])
    assert made.mail == raw and made.left_off == (LeftOff.SUBMITTER_SIGNED,) and not made.is_personal
    assert kinds(mail(raw, FULL)) == "cho"


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx", LeftOff.PROTECTED),
        (b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<a href=http://x/>\r\n--b--\r\n", LeftOff.PROTECTED),
        (b"Content-Type: message/rfc822\r\n\r\nContent-Type: text/html\r\n\r\n<a href=http://x/>", LeftOff.PROTECTED),
        (b"Content-Type: text/html\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n<a href=http://x/>", LeftOff.ENCODING),
        (b"Content-Type: text/html; charset=utf-7\r\n\r\n<a href=http://x/>", LeftOff.CHARSET),
        (b"Content-Type: text/html; name=x.html\r\n\r\n<a href=http://x/>", LeftOff.NO_HTML),
        (b"Content-Type: text/html\r\n\r\n", LeftOff.NO_HTML),
        (b"Content-Type: text/html\r\n\r\n<p", LeftOff.CUT_OFF),
        (b"Content-Type: text/html\r\n\r\n" + b"<a href=http://x/>\r\n" * 50_001, LeftOff.TOO_LARGE),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 1100 + b"--b--", LeftOff.MALFORMED),
    ],
)
def test_what_is_left_off_says_why(part: bytes, reason: LeftOff) -> None:
    made = plan(HEADER + part, FULL)
    assert made.left_off == (reason,) and made.mail == HEADER + part


def test_a_protected_mail_still_offers_unsubscribing_in_its_header() -> None:
    raw = HEADER + b"Content-Type: application/pkcs7-mime\r\n\r\nx"
    made = mail(raw, replace(FULL, offer=Offer.LINK))
    assert kinds(made) == "u" and made.endswith(b"Content-Type: application/pkcs7-mime\r\n" + made[made.index(b"List-Unsub") :]) and made.endswith(b"\r\n\r\nx")


def test_a_mail_without_a_body() -> None:
    for raw in (HEADER, HEADER + b"\r\n", HEADER[:-2]):
        made = plan(raw, FULL, Options(campaign="may"))
        fields, octets = signed(made, claim_of())
        assert verifies(fields + octets) and read_header(octets).all("List-Unsubscribe")


def test_the_envelope() -> None:
    made = plan(HTML, FULL)
    sent = transaction(made, claim_of(recipient="é@example.net"), b"x", RING, "b.example")
    assert (sent.is_8bit, sent.smtputf8, sent.recipients) == (True, True, ("é@example.net",))
    assert not transaction(made, claim_of(), b"x", RING, "b.example").smtputf8
    assert not transaction(plan(HTML.replace(b"\xc3\xa9", b"e"), FULL), claim_of(), b"x", RING, "b.example").is_8bit
    raw = HTML.replace(b"Subject: s", b"Subject: \xc3\xa9")
    assert transaction(plan(raw, FULL), claim_of(), b"x", RING, "b.example").smtputf8


def test_a_mail_that_is_sent_on_is_not_tracked_twice() -> None:
    once = mail(HTML, replace(FULL, opens=OpenMode.OFF))
    assert kinds(mail(once, replace(FULL, opens=OpenMode.OFF))) == "ch"


def test_keys_change_and_old_links_stay() -> None:
    old = mail(HTML, replace(FULL, keyring=Keyring(7, {7: b"7" * 16})))
    new = Keyring(8, {8: b"8" * 16, 7: b"7" * 16})
    [token, _] = [token for kind, token in URL.findall(old.decode()) if kind == "c"]
    assert tokens.read_click(token, new) is not None and tokens.read_click(token, RING) is None


def test_many_links() -> None:
    raw = HTML + b'<p><a href="https://x.example/">t</a> some words between links\r\n' * 4000
    made = plan(raw, FULL)
    message = email.message_from_bytes(b"".join(signed(made, claim_of())), policy=email.policy.default)
    assert message.get_content_charset() == "utf-8"
    assert kinds(mail(raw, FULL)).count("c") == 4001


def test_a_link_to_unsubscribe_that_stands_often_is_one_token() -> None:
    made = plan(TEXT + b"[[UNSUB_LINK_FR]] [[EMAIL_TO]]\r\n" * 6000, replace(NOTHING, offer=Offer.TAGS))
    body = made.copy_for(claim_of()).body
    assert len({token for _, token in URL.findall(body.decode())}) == 1
    assert body.count(b"jo+x@example.net") + body.count(b"https://t.example/u/") == 5000  # the limit


@pytest.mark.parametrize(
    "piece",
    [b"http://x/" + b")" * 500_000, b"http://x/ " * 50_000, b"http://x/?" * 50_000, b"[[UNSUB_LINK_", b"<a href='[[EMAIL_TO]]'>", b"{{ mj:unsub_link ",
     b"<a href=//" + b"a.b" * 9, b"<a href=http://x/>a.a.a.a.a.a.a.a.a.a.", b"<a href=http://x/>" + b"<" * 50, b"&#1" * 9, b"<a href='http://x/&am&am&am'>"],
)  # fmt: skip
def test_nothing_takes_more_than_linear_time(piece: bytes) -> None:
    """A part of the largest size that is read, of anything, in seconds; a quadratic step would be minutes."""
    raw = HEADER + b"Content-Type: text/html\r\n\r\n" + b"\r\n".join([piece] * max(1, 900_000 // (len(piece) + 2))) + b"\r\n"
    tracking = replace(FULL, text_links=True, offer=Offer.LINK, url_tags="a=b")
    for one in (raw, raw.replace(b"text/html", b"text/plain"), raw.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", 1)):
        started = time.process_time()
        made = plan(one, tracking)
        if made.is_personal:
            made.copy_for(claim_of())
        assert time.process_time() - started < 6


def test_a_mail_to_a_list_leads_to_the_preferences_too() -> None:
    """The same token on another path, in the footer of ours and in the place of its tag; a mail to no list has no such link of itself."""
    tracking = replace(NOTHING, offer=Offer.LINK)
    assert "/p/" not in mail(HTML, tracking).decode("utf-8", "replace")
    made = mail(HTML, tracking, Options(campaign="may", list_id=7, locale="fr")).decode("utf-8", "replace")
    leaving, choosing = re.findall(r'href="https://t\.example/u/([\w-]+)"', made), re.findall(r'href="https://t\.example/p/([\w-]+)"', made)
    assert leaving == choosing and len(leaving) == 1 and "Choisir ce que vous recevez" in made
    found = tokens.read_unsubscribe(choosing[0], RING)
    assert found is not None and (found.list_id, found.language, found.address) == (7, "fr", "jo+x@example.net")
    assert max(map(len, made.split("\r\n"))) <= 998


@pytest.mark.parametrize("tag", ["[[PREFERENCES_LINK_FR]]", "%5B%5BPREFERENCES_LINK_FR%5D%5D", "{{mj:preferences_link_fr}}", "http://[[PREFERENCES_LINK_FR]]"])
def test_the_tag_of_the_preferences_is_no_way_out(tag: str) -> None:
    """It stands where it was put; the link to unsubscribe is still added where there is none, and the header has it."""
    raw = HTML.replace(b"https://x.example/", tag.encode())
    made = mail(raw, replace(NOTHING, offer=Offer.LINK), Options(campaign="may", list_id=7)).decode("utf-8", "replace")
    assert len(re.findall(r'href="https://t\.example/p/[\w-]+"', made)) == 2 and len(re.findall(r'href="https://t\.example/u/[\w-]+"', made)) == 1
    tagged = mail(raw, replace(NOTHING, offer=Offer.TAGS)).decode("utf-8", "replace")
    assert re.findall(r'href="https://t\.example/([up])/', tagged) == ["p"] and "List-Unsubscribe: <https://t.example/u/" in tagged
    assert tag in mail(raw, NOTHING).decode("utf-8", "replace")
