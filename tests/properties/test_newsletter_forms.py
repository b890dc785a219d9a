"""What a recipient gets from the mail that was compiled for all is what a mail compiled for this recipient alone would be: fields, parts, texts, links."""

import email
import email.policy
import re
from collections import Counter
from dataclasses import replace
from email.message import EmailMessage
from html import escape

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estafette.mail.dkim import sign
from estafette.model import Content, Options
from estafette.prepare import tokens
from estafette.prepare.forms import Made, copy_for
from estafette.prepare.personal import Filling, Person, Source, Unfillable, encode_source, fill, mail_for, read_source
from estafette.prepare.plan import make_plan, pending_signatures
from estafette.prepare.tokens import OpenMode
from estafette.prepare.tracking import CONSENT, Consent, Offer, Tracking
from tests.prepare.test_golden import KEYS, RING, URL, claim_of, verifies

TRACKING = Tracking("https://t.example", RING, OpenMode.FULL, clicks=True, offer=Offer.LINK, unsubscribe_domain="bounces.example.com", sender_id="estafette")
TRACKINGS = [TRACKING, TRACKING, replace(TRACKING, url_tags="utm=ö"), replace(TRACKING, clicks=False, opens=OpenMode.OFF), replace(TRACKING, text_links=True)]
USUAL = [
    "<p>Bonjour {{data:name}}, voilà.</p>\n", "<p>{{data:name:\"chère amie\"}}</p>", "<b title=\"{{data:name}}\" data-x='{{data:city}}'>x</b>",
    "<a href=\"https://shop.example/?u={{data:name}}&amp;c={{data:city}}#x\">Voir</a>", "<a href='{{data:url}}'>Site</a>",
    "<a href=\"https://{{data:city}}.example/{{data:name}}\">y</a>", "<a href=\"https://shop.example/\">{{data:name}}</a>",
    "<a href=\"https://plain.example/a?b=1\">plain</a>", "<a href=\"mailto:{{data:name}}\">m</a>", "[[data:name:\"toi\"]]", "<title>{{data:name}}</title>",
    "{% if data:city = \"Lyon\" %}<p>Lyon! {{data:name}}</p>{% else %}<p>{{data:city}}</p>{% endif %}", "{{mj:unsub_link_fr}}",
    "{% for x in var:list %}<li>{{x}} {{data:name}}</li>{% endfor %}", "<img src=\"https://i.example/{{data:city}}.png\" alt=\"{{data:name}}\">",
    "<!--[if mso]><v:roundrect href=\"https://mso.example/{{data:name}}\">{{data:city}}</v:roundrect><![endif]-->", "<p>" + "é" * 90 + "</p>",
    "<a href=\"[[UNSUB_LINK_FR]]\">Quitter</a>", "<p>{{Upper(data:name)}} = {{data:name}}</p>", "x" * 200 + " ", "日本語" * 60, "</body></html>",
    "<a href=\"{{var:base}}?q={{UrlEncode(data:name)}}\">{{data:name}} désabonnement</a>", "<p>[[EMAIL_TO]]</p>",
    "<a href=\"https://shop.example/{{data:name}}\">{{data:city}}</a>",
]  # fmt: skip
STRANGE = [
    "<a href={{data:name}}>z</a>", "<!-- {{data:name}} -->", "<{{data:name}}>", "[[UNSUB_{{data:name}}]]",
    "<a href=\"https://x.example/\" data-track=\"{{data:name}}\">t</a>",
    "&{{data:name}};", "{{var:html}}", "{{data:name}}{{data:city}}", "<base href=\"https://{{data:city}}/\">", "<p>http://{{data:name}}</p>",
    "<style>.a{color:{{var:base}}}</style>",
    "%{{data:name}}%5B", "<html lang=\"{{data:city}}\">", "{{data:name}}>", "</{{data:name}}", "<script>x = \"{{data:name}}\"</script>",
    "<a href='https://x.example/?{{data:name}}' ",
]  # fmt: skip
TEXTS = ["", "", "Bonjour {{data:name}}\nhttps://x.example/?u={{data:city}}\n", "[[data:city]] <{{data:name}}>\n[[UNSUB_LINK_EN]]", "plain"]
SUBJECTS = ["Hello", "Für {{data:name}}", "{{data:name}}", "{% if data:city = \"Lyon\" %}Lyon{% else %}{{data:name}} [[data:city]]{% endif %}"]
HOSTILE = [
    "Lyon", "Lyon", "Jo", "Zoé", "Anne-Marie O'Neil", "Tom & Co", "<b>x</b>", "a\r\nBcc: x@y.example", "a\0b", "", "  two  blanks ", " x",
    "\"quoted\" 'single'", "x" * 2000, "é" * 300,
    "[[UNSUB_LINK_FR]]", "{{data:city}}", "http://evil.example/", "https://ok.example/p?a=1&b=2", "www.site.example", "unsubscribe", "--", "--=_x",
    "From here", ".", "50%", "%5B", "5B",
    "LINK_FR]]", "\"><script>", "-->", "javascript:alert(1)", "日本", "\u2028x", "\U0001f600\u200d", "a=3D", "=", "\u00a0", "q0w0z", "jo@x.example",
    "&amp;", "#x41;", "\ud800", "a.b", "x" * 77,
]  # fmt: skip
VALUES = st.sampled_from(HOSTILE) | st.text(max_size=30)
PLAIN = st.sampled_from([
    "Jo", "Zoé", "Lyon", "Anne-Marie O'Neil", "a+b@c.example", "20 %", "Smith & Sons", "x" * 100,
    "LINK_FR", "title", "a", "fr", "off", "www.site.example", "unsubscribe", "https://ok.example/p?a=1&b=2", "amp", "script", "5BUNSUB_LINK", "x href",
])  # fmt: skip
SEEN: Counter[bool] = Counter()


@st.composite
def people(draw: st.DrawFn) -> Person:
    value = draw(st.sampled_from([PLAIN, PLAIN, VALUES]))
    properties: dict[str, str | int | float | bool] = {name: draw(value) for name in ("name", "city", "url")}
    if draw(st.integers(0, 9)) == 0:
        properties["name"] = draw(st.sampled_from([7, 2.5, True]))
    address = draw(st.sampled_from(["jo@example.net"] * 5 + ["anne.o'neil+x@example.net", '"a b"@example.net', "zoé@example.net"]))
    return Person(address, draw(st.sampled_from(["", "", "Jo", "Jo", "Zoé, la", "Zoé, la", "x\r\ny"])), properties)


@st.composite
def sources(draw: st.DrawFn) -> Source:
    html = "".join(draw(st.lists(st.sampled_from(USUAL), min_size=1, max_size=6)))
    if draw(st.integers(0, 3)) == 0:
        html += draw(st.sampled_from(STRANGE)) + draw(st.sampled_from(USUAL))
    values = {"list": b'["a","<b>","c"]', "html": b'"<i>so</i>"', "base": b'"https://base.example/"'}
    return Source(author="lettre@example.com", author_name="La lettre", subject=draw(st.sampled_from(SUBJECTS)), text=draw(st.sampled_from(TEXTS)), html=html,
                  variables={name: msgspec.Raw(value) for name, value in values.items()}, headers={"X-Kept": "q0w0z"})  # fmt: skip


def alone(filling: Filling, content: Content, tracking: Tracking, consent: Consent) -> bytes:
    plan = make_plan(replace(content, raw=mail_for(filling)), KEYS, tracking)
    if not plan.is_personal:
        return plan.mail
    copy = plan.copy_for(claim_of(filling.message_id, str(filling.to.address)), consent)
    return copy.head + copy.body


def read(raw: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Fields but for boundaries and encodings; the type and the text of every part."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    fields = [(name, re.sub(r'boundary="[^"]*"', "", str(value))) for name, value in message.items() if name != "Content-Transfer-Encoding"]
    parts = []
    for part in message.walk():
        assert isinstance(part, EmailMessage)
        if not part.is_multipart():
            octets = part.get_payload(decode=True)
            assert isinstance(octets, bytes)
            parts.append((part["Content-Type"], octets.decode().removesuffix("\r\n")))
    return fields, parts


def legal(raw: bytes) -> None:
    assert raw.isascii() and b"\0" not in raw
    lines = raw.split(b"\r\n")
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in lines)
    body_at = raw.index(b"\r\n\r\n")
    if b"quoted-printable" in raw:
        assert max(map(len, raw[body_at:].split(b"\r\n"))) <= 78, max(raw[body_at:].split(b"\r\n"), key=len)


@settings(max_examples=500, deadline=None)
@given(sources(), st.lists(people(), min_size=2, max_size=4), st.sampled_from(TRACKINGS), st.sampled_from([CONSENT, Consent(clicks=False)]))
def test_the_mail_of_the_form_is_the_mail_made_alone(source: Source, persons: list[Person], tracking: Tracking, consent: Consent) -> None:
    letter = read_source(encode_source(source))
    content = Content(9_000, 42, "lettre@example.com", "lettre@example.com", Options(campaign="c", list_id=3), 0, False, encode_source(source))
    for number, person in enumerate(persons, 9_001):
        claim = claim_of(number, person.address)
        try:
            filling = fill(letter, person, number, "relay.test", 0)
            expected = alone(filling, content, tracking, consent)
        except Unfillable:
            with pytest.raises(Unfillable):
                copy_for(fill(letter, person, number, "relay.test", 0), claim, content, KEYS, tracking, consent)
            continue
        made = copy_for(filling, claim, content, KEYS, tracking, consent)
        SEEN[made.is_from_form] += 1
        if made.is_from_form:
            assert made.copy is not None
            octets = made.copy.head + made.copy.body
            assert read(octets) == read(expected)
            legal(octets)
            assert verifies(signed(made) + octets)


LINK = '<a href="https://x.example/">y</a>'


@pytest.mark.parametrize(("html", "values"), [
    ("<a href={{data:name}}>z</a>", ("https://ok.example/", "x title=y")),
    ('<{{data:name}} href="https://x.example/">y', ("b", "a")),
    ('<a href="https://x.example/" data-track="{{data:name}}">y</a>', ("on", "off")),
    ("[[UNSUB_{{data:name}}]]", ("x", "LINK_FR")),
    ("%5B%5B{{data:name}}%5D%5D", ("x", "UNSUB_LINK_FR")),
    ("{{data:name}}5B%5BUNSUB_LINK_FR%5D%5D", ("x", "%")),
    (f"<title>a</{{{{data:name}}}} >{LINK}", ("b", "title")),
    ("<p>&{{data:name}};</p>", ("x", "amp")),
    (f"<!-- {{{{data:name}}}}> {LINK} -->", ("x", "x--")),
    (f"<!--[if mso]><p>{{{{data:name}}}}>{LINK}<![endif]-->", ("x", "x--")),
    ('<base href="https://{{data:name}}/"><a href="y">z</a>', ("x.example", "y.example")),
    ('<html lang="{{data:name}}"><p>x</p>', ("en", "fr")),
    ('<a href="https://x.example/">{{data:name}}</a>', ("x", "www.x.example")),
    ('<a href="https://x.example/">{{data:name}}</a>', ("x", "unsubscribe")),
    ('<a href="{{data:name}}">y</a><a href="https://x.example/">y</a>', ("https://a.example/", "no-address")),
    ('<a href="{{data:name}}">y</a><a href="https://x.example/">y</a>', ("no-address", "https://a.example/")),
    ("<p>{{data:name}}</p>", ("x", " x")),
    ("<p>{{data:name}}</p>", ("x", "[[UNSUB_LINK_FR]]")),
])  # fmt: skip
def test_what_a_value_may_change_beside_its_place_is_seen(html: str, values: tuple[str, str]) -> None:
    source = Source(author="lettre@example.com", subject="s", html=html)
    letter = read_source(encode_source(source))
    content = Content(9_000, 42, "lettre@example.com", "lettre@example.com", Options(list_id=3), 0, False, b"")
    for number, value in enumerate(values, 9_001):
        filling = fill(letter, Person("jo@example.net", "", {"name": value}), number, "relay.test", 0)
        made = copy_for(filling, claim_of(number, "jo@example.net"), content, KEYS, TRACKING, CONSENT)
        octets = made.copy.head + made.copy.body if made.copy is not None else made.plan.mail
        assert read(octets) == read(alone(filling, content, TRACKING, CONSENT))


def test_a_link_with_a_value_leads_where_it_says_and_nobody_gets_that_of_another() -> None:
    html = '<a href="https://x.example/?n={{data:name}}&amp;b=1">y</a><p>{{data:name}}</p>'
    source = Source(author="lettre@example.com", subject="For {{data:name}}", html=html)
    letter = read_source(encode_source(source))
    content = Content(9_000, 42, "lettre@example.com", "lettre@example.com", Options(list_id=3), 0, False, b"")
    for number, (value, written) in enumerate([("Jo", "Jo"), ("a&b=c d+e@f.example", "a%26b%3Dc%20d%2Be%40f.example"), ("Zoé <b>",
    "Zo%C3%A9%20%3Cb%3E")], 9_001):
        filling = fill(letter, Person("jo@example.net", "", {"name": value}), number, "relay.test", 0)
        made = copy_for(filling, claim_of(number, "jo@example.net"), content, KEYS, TRACKING, CONSENT)
        assert made.is_from_form and made.copy is not None
        html = read(made.copy.head + made.copy.body)[1][1][1]
        clicks = [tokens.read_click(token, RING) for kind, token in URL.findall(html) if kind == "c"]
        assert [click and (click.number, click.message_id, click.url) for click in clicks] == [
            (n, number, f"https://x.example/?n={written}&b=1") for n in (0, tokens.TRAP_LINK)
        ]
        assert f"<p>{escape(value)}</p>" in html


def signed(made: Made) -> bytes:
    return b"".join(pending.complete(sign(key, pending.to_sign)) for key, pending in pending_signatures(made.plan, 1_790_000_000, made.copy))
