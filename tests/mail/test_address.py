"""Addresses: what an envelope takes (RFC 5321, RFC 6531, IDNA), and what is understood in headers."""

import pytest

from estafette.mail.address import (
    MAX_MAILBOXES,
    Address,
    AddressError,
    Mailbox,
    is_deliverable_domain,
    parse,
    parse_domain,
    parse_mailbox,
    parse_mailboxes,
)  # fmt: skip

GOOD = [
    # RFC 5321's own examples, RFC 3696's, and the usual ones
    ("Smith@bar.com", "Smith", "bar.com"),
    ("userc@d.bar.org", "userc", "d.bar.org"),
    ("Jo.Doe+tag@Example.COM", "Jo.Doe+tag", "example.com"),
    ("customer/department=shipping@example.com", "customer/department=shipping", "example.com"),
    ("$A12345@example.com", "$A12345", "example.com"),
    ("!def!xyz%abc@example.com", "!def!xyz%abc", "example.com"),
    ("_somename@example.com", "_somename", "example.com"),
    ("'@example.com", "'", "example.com"),
    ('"Joe.\\\\Blow"@example.com', '"Joe.\\\\Blow"', "example.com"),
    ('"Abc@def"@example.com', '"Abc@def"', "example.com"),
    ('"Fred Bloggs"@example.com', '"Fred Bloggs"', "example.com"),
    ('"a\\"b"@example.com', '"a\\"b"', "example.com"),
    ('""@example.com', '""', "example.com"),
    ("postmaster@localhost", "postmaster", "localhost"),
    ("a@my_host.example.com", "a", "my_host.example.com"),
    ("a@1.example.0com", "a", "1.example.0com"),
    ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
    ("a@[IPv6:2001:DB8:0::1]", "a", "[IPv6:2001:db8::1]"),
    ("a@[ipv6:::1]", "a", "[IPv6:::1]"),
    ("a@[IPv6:::ffff:192.0.2.1]", "a", "[IPv6:::ffff:c000:201]"),
    ("élan@exemple.fr", "élan", "exemple.fr"),
    ('"é à"@exemple.fr', '"é à"', "exemple.fr"),
    ("用户@例え.jp", "用户", "xn--r8jz45g.jp"),
    ("a@Bücher.example", "a", "xn--bcher-kva.example"),
    ("a@straße.de", "a", "xn--strae-oqa.de"),
    ("a@例え。jp", "a", "xn--r8jz45g.jp"),
    ("a@xn--bcher-kva.EXAMPLE", "a", "xn--bcher-kva.example"),
    (f"{'x' * 64}@example.com", "x" * 64, "example.com"),
    (f"a@{'x' * 63}.com", "a", f"{'x' * 63}.com"),
    (f"{'x' * 64}@{'.'.join(['y' * 61] * 3)}.abc", "x" * 64, f"{'.'.join(['y' * 61] * 3)}.abc"),  # 64 + 1 + 189 = 254
]

BAD = [
    "", "@", "a", "a@", "@b.c", "a@b@c.d", "a b@c.d", "a.@b.c", ".a@b.c", "a..b@c.d", "a,b@c.d", "<a@b.c>", "a@b.c>", "a(c)@b.c", "a@b.c(d)",
    'a"b@c.d', '"a@b.c', 'a"@b.c', '"a"b@c.d', '"a"b"@c.d', '"a\\"@c.d', "a\\@b@c.d", "a:b@c.d", "[a]@b.c",
    "a@b..c", "a@.b.c", "a@b.c.", "a@-b.c", "a@b-.c", "a@b c.d", "a@b,c.d", "a@b!c", "a@*.c", "a@b.c;d",
    "a@[1.2.3]", "a@[1.2.3.4.5]", "a@[300.1.1.1]", "a@[1.2.3.4", "a@1.2.3.4]", "a@[]", "a@[IPv6:]", "a@[IPv6:1.2.3.4]", "a@[2001:db8::1]",
    "a@[tag:content]", "a@[01.2.3.4]",
    f"{'x' * 65}@example.com", f"{'é' * 33}@example.com", f"a@{'x' * 64}.com", f"a@{'.'.join(['x' * 62] * 5)}.com",
    f"{'x' * 64}@{'.'.join(['y' * 61] * 3)}.abcd", "a@" + "x." * 5000 + "com", "a@" + "é" * 300 + ".fr", "a@" + "é" * 100_000,
    "a@xn--\u00fc.de", "a@\u2764.ws",
]  # fmt: skip

INJECTIONS = [
    "a\r\n@b.c", "a@b.c\r\n", "a@b.c\n", "\na@b.c", '"a\r\nb"@c.d', '"a\\\nb"@c.d', '"a\0b"@c.d', "a\0@b.c", "a@b\0.c", "a\t@b.c", '"a\tb"@c.d',
    "a@[IPv6:fe80::1%\r\nRCPT TO:<x@y.z>]", "a@[IPv6:fe80::1%eth0]", "a@[IPv6:::1%>]", "a@[127.0.0.1\n]", "a@[\uff11.2.3.4]",
    "a\x85b@c.d", "a\u2028b@c.d", "a\u2029b@c.d", "a\ud800b@c.d", "a@b\udcff.c", '"\udcff"@b.c', '"\x9b"@b.c', "a\x7f@b.c",
]  # fmt: skip


@pytest.mark.parametrize(("text", "local", "domain"), GOOD)
def test_a_good_address_is_taken_apart(text: str, local: str, domain: str) -> None:
    address = parse(text)
    assert (address.local, address.domain) == (local, domain)
    assert parse(str(address)) == address


@pytest.mark.parametrize("text", BAD + INJECTIONS, ids=lambda t: ascii(t)[:60])
def test_a_bad_address_is_an_address_error(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse(text)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


def test_limits_are_octets_not_characters() -> None:
    assert parse("é" * 32 + "@example.com").needs_smtputf8
    with pytest.raises(AddressError, match="64 octets"):
        parse("é" * 32 + "x@example.com")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Jo@Example.com", "jo@EXAMPLE.COM", True),
        ('"jo"@example.com', "jo@example.com", True),
        ('"j\\o"@example.com', "JO@example.com", True),
        ("É@example.com", "é@example.com", True),
        ("a@bücher.de", "A@xn--bcher-kva.de", True),
        ("a+b@example.com", "a@example.com", False),
        ("a.b@example.com", "ab@example.com", False),
        ("a@[IPv6:0:0::1]", "a@[ipv6:::1]", True),
    ],
)
def test_the_key_is_what_addresses_are_compared_by(one: str, other: str, same: bool) -> None:
    assert (parse(one).key == parse(other).key) is same


def test_the_properties_of_an_address() -> None:
    assert parse("a@[192.0.2.1]").is_literal and not parse("a@b.c").is_literal
    assert not parse("a@bücher.de").needs_smtputf8, "an A-label needs no SMTPUTF8"


@pytest.mark.parametrize(
    ("domain", "expected"),
    [("example.com", True), ("localhost", False), ("1.2.3.4", False), ("a.b1", True), ("[192.0.2.1]", True), ("xn--p1ai", False), ("x.xn--p1ai", True)],
)
def test_is_deliverable_domain(domain: str, expected: bool) -> None:
    assert is_deliverable_domain(domain) is expected


def test_a_domain_alone() -> None:
    assert parse_domain("EXAMPLE.com") == "example.com"
    with pytest.raises(AddressError, match="nothing after"):
        parse_domain("")


def box(name: str, address: str) -> Mailbox:
    return Mailbox(name, parse(address))


LISTS = [
    ("", []),
    (" , ,", []),
    ("jo@x.fr", [box("", "jo@x.fr")]),
    ("<jo@x.fr>", [box("", "jo@x.fr")]),
    ("< jo@x.fr >", [box("", "jo@x.fr")]),
    ('"Doe, Jo" <jo@x.fr>, b@y.z', [box("Doe, Jo", "jo@x.fr"), box("", "b@y.z")]),
    ("Jo  Doe <jo@x.fr>", [box("Jo Doe", "jo@x.fr")]),
    ("J. R. R. Tolkien <jrr@x.fr>", [box("J. R. R. Tolkien", "jrr@x.fr")]),
    ('"a \\"quoted\\" name" <jo@x.fr>', [box('a "quoted" name', "jo@x.fr")]),
    ('"<evil@x.fr>" <jo@x.fr>', [box("<evil@x.fr>", "jo@x.fr")]),
    ('Jo "the, man" Doe <jo@x.fr>', [box("Jo the, man Doe", "jo@x.fr")]),
    ("jo@x.fr (Jo, Doe)", [box("", "jo@x.fr")]),
    ("(a (nested \\) comment) here) jo@x.fr", [box("", "jo@x.fr")]),
    ("Jo (not \"me) <jo@x.fr>", [box("Jo", "jo@x.fr")]),
    ('"Jo (Doe)" <jo@x.fr>', [box("Jo (Doe)", "jo@x.fr")]),
    ("<jo@x.fr (comment)>", [box("", "jo@x.fr")]),
    ('<"a>b,c"@x.fr>, d@e.f', [box("", '"a>b,c"@x.fr'), box("", "d@e.f")]),
    ("A Group:Ed Jones <joe@where.test>,joe@x.test,John <jdoe@one.test>;",
     [box("Ed Jones", "joe@where.test"), box("", "joe@x.test"), box("John", "jdoe@one.test")]),
    ("undisclosed-recipients:;", []),
    ("a@b.c, G: d@e.f; , h@i.j", [box("", "a@b.c"), box("", "d@e.f"), box("", "h@i.j")]),
    ("a@b.c; d@e.f", [box("", "a@b.c"), box("", "d@e.f")]),  # Outlook's habit
    ("<@relay.x,@other.y:jo@x.fr>", [box("", "jo@x.fr")]),  # RFC 5321 C: source routes are taken off
    ("jo@[IPv6:2001:db8::1]", [box("", "jo@[IPv6:2001:db8::1]")]),
    ("Jo <jo@[IPv6:2001:db8::1]>", [box("Jo", "jo@[IPv6:2001:db8::1]")]),
    ("[JIRA: (X)] <jira@x.fr>", [box("[JIRA: ]", "jira@x.fr")]),
    ("[ <jira@x.fr>", [box("[", "jira@x.fr")]),
    ("=?utf-8?q?J=C3=B6?= <jo@x.fr>", [box("Jö", "jo@x.fr")]),
    ("=?utf-8?q?a=2C_b?= <jo@x.fr>", [box("a, b", "jo@x.fr")]),
    ("=?utf-8?q?=3Cevil=40x=2Efr=3E=2C?= <jo@x.fr>", [box("<evil@x.fr>,", "jo@x.fr")]),
    ("Jo\r\n Doe <jo@x.fr>", [box("Jo Doe", "jo@x.fr")]),
    ("é <é@x.fr>", [box("é", "é@x.fr")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), LISTS)
def test_mailboxes_of_a_header(text: str, expected: list[Mailbox]) -> None:
    assert parse_mailboxes(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "jo", "Jo <jo>", "<>", "Jo <>", "<jo@x.fr", "jo@x.fr>", "a@b.c d@e.f", "<a@b.c> <d@e.f>", "a@b.c <", '"open <jo@x.fr>', "(open jo@x.fr",
        "jo@x.fr)", "a b@c.d", "<a@b.c\r\nBcc: d@e.f>", "jo@\rx.fr",
    ],
)  # fmt: skip
def test_what_is_no_list_of_mailboxes(text: str) -> None:
    with pytest.raises(AddressError):
        parse_mailboxes(text)


def test_a_name_never_holds_a_line_end() -> None:
    for text in ("J\ro <a@b.c>", "J\no <a@b.c>", "=?utf-8?q?J=0D=0ABcc:x?= <a@b.c>", '"J\r\no" <a@b.c>', "J\u2028o <a@b.c>"):
        (mailbox,) = parse_mailboxes(text)
        assert not set(mailbox.name) & set("\r\n\0\u2028"), text


def test_exactly_one_mailbox() -> None:
    assert parse_mailbox("Jo <jo@x.fr>") == Mailbox("Jo", Address("jo", "x.fr"))
    for text, reason in (("", "no address"), ("a@b.c, d@e.f", "expected one")):
        with pytest.raises(AddressError, match=reason):
            parse_mailbox(text)


def test_the_number_of_mailboxes_is_limited() -> None:
    assert len(parse_mailboxes("a@b.c," * MAX_MAILBOXES)) == MAX_MAILBOXES
    with pytest.raises(AddressError, match="too many"):
        parse_mailboxes("a@b.c," * (MAX_MAILBOXES + 1))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", ['"\\', "\\\"", "(", "(\\", '("', "[", "[a", "<", "a@", ".", "=?", "=?a?b?", "a.", '"a"', "(a)", " ", "\\", ")("])
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """Quadratic time would be hours here, not seconds."""
    for text in (unit * (300_000 // len(unit)), '"' + unit * (300_000 // len(unit)), unit * (300_000 // len(unit)) + " <a@b.c>"):
        for read in (parse, parse_mailboxes):
            try:
                read(text)
            except AddressError:
                pass
