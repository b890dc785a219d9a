"""Which links are tracked, and where they lead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from estafette.prepare.html_spans import read_html
from estafette.prepare.links import Found, Rules, add_tags, find_html_links, find_text_links, is_address, target_of, unescape
from estafette.prepare.tokens import MAX_TARGET

RULES = Rules(clicks=True, own="https://links.example/c/")


def tracked(text: str, rules: Rules = RULES) -> list[str]:
    return [found.url for found in find_html_links(text, read_html(text), rules) if found.is_tracked]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://x", "http://x"),
        ("HTTPS://X.example/Path", "https://X.example/Path"),
        (" \n https://x/\ty\r\n", "https://x/y"),  # as a browser reads it
        ("https://x/?a=1&amp;b=2", "https://x/?a=1&b=2"),
        ("https://x/?a=1&#38;b=2&#x26;c", "https://x/?a=1&b=2&c"),
        ("https://x/?a=1&copy=2&reg=3", "https://x/?a=1&copy=2&reg=3"),  # no semicolon, then "=": no reference
        ("https://x/?&notit;", "https://x/?&notit;"),
        ("https://x/&copy;", "https://x/%C2%A9"),
        ("https://x/&copy", "https://x/%C2%A9"),
        ("https://x/a b", "https://x/a%20b"),
        ("https://x/%C3%A9t\u00e9|{}\"<>", "https://x/%C3%A9t%C3%A9%7C%7B%7D%22%3C%3E"),
        ("https://\u00e9t\u00e9.example/\u00e9?\u00e9#\u00e9", "https://xn--t-9fab.example/%C3%A9?%C3%A9#%C3%A9"),
        ("https://u:p@\u00e9.example:8080/", "https://u:p@xn--9ca.example:8080/"),
        ("https://[::1]:80/x", "https://[::1]:80/x"),
        ("mailto:a@b.c", None),
        ("tel:+33123", None),
        ("#top", None),
        ("", None),
        ("/relative", None),
        ("//host/x", None),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("data:text/html,x", None),
        ("cid:part1", None),
        ("http:", None),
        ("http://", None),
        ("http:///x", None),
        ("http://?x", None),
        ("http:x", None),
        ("http:\\\\x\\y", None),
        ("https://x\\y", None),
        ("https://\u00e9 x/", None),
        ("https://x/\ud800", None),
        ("https://x/\x00y", "https://x/%00y"),
        ("https://x/{{var:id}}", None),
        ("https://x/[[data:id]]", None),
        ("https://x/%5B%5BUNSUB_LINK_EN%5D%5D", None),
        ("https://x/?id=*|UNIQID|*", None),
        ("https://x/" + "a" * MAX_TARGET, None),
        ("https://x/" + "a" * (MAX_TARGET - 10), "https://x/" + "a" * (MAX_TARGET - 10)),
    ],
)
def test_targets(value: str, expected: str | None) -> None:
    assert target_of(value, "") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("y", "https://b.example/x/y"), ("/y", "https://b.example/y"), ("//h/y", "https://h/y"), ("?q", "https://b.example/x/?q"),
        ("#y", None), ("mailto:a@b", None), ("http://z/", "http://z/"), ("", None),
    ],
)  # fmt: skip
def test_relative_links_need_a_base(value: str, expected: str | None) -> None:
    assert target_of(value, "https://b.example/x/") == expected
    assert tracked(f'<base href="https://b.example/x/"><a href="{value}">t</a>') == ([expected] if expected else [])


@given(st.text(alphabet="&;=#xX0123456789abcopygtlnmé <", max_size=20))
def test_references_are_those_of_an_attribute(value: str) -> None:
    node = LexborHTMLParser(f'<a href="{value}">').css_first("a")
    assert node is not None
    read = node.attributes["href"] or ""
    assert unescape(value) == "".join(c for c in read if unescape(f"&#{ord(c)};")), "Python's library leaves references to control characters out"


@given(st.text(max_size=60))
def test_targets_are_fit_for_a_location_field(value: str) -> None:
    for text in (value, "https://" + value, "http://x/" + value):
        url = target_of(text, "https://base/")
        assert url is None or (url.isascii() and url.isprintable() and " " not in url and url.startswith(("http://", "https://")) and len(url) <= MAX_TARGET)
        if url is not None:
            assert target_of(url, "", is_html=False) == url  # nothing changes it any more


@pytest.mark.parametrize(
    "link",
    [
        '<a href="http://x/unsubscribe?u=1">here</a>',
        '<a href="http://x/optout">here</a>',
        '<a href="http://x/d%C3%A9sinscription">ici</a>',
        '<a href="http://x/q"><b>Se d\u00e9sinscrire</b></a>',
        '<a href="http://x/q">Se d&eacute;sabonner</a>',
        '<a href="http://x/q">UNSUBSCRIBE</a>',
        '<a href="http://x/q">opt-out</a>',
        '<a href="http://x/q" clicktracking="off">t</a>',
        '<a href="http://x/q" clicktracking=OFF>t</a>',
        '<a href="http://x/q" data-track="false">t</a>',
        '<a href="http://x/q" data-no-track>t</a>',
        '<a href="http://x/q" disable-tracking="true">t</a>',
        '<a href="http://x/q">http://x/q</a>',
        '<a href="http://x/q"> https://www.x.example/</a>',
        '<a href="http://x/q"><span>www.example.com</span></a>',
        '<a href="http://x/q">example.com/path</a>',
        '<a href="http://x/q">Visit http://example.com now</a>',
        '<a href="https://links.example/c/AQIDBA">t</a>',
    ],
)
def test_left_alone(link: str) -> None:
    assert tracked(link) == []


@pytest.mark.parametrize(
    "link",
    [
        '<a href="http://x/q">t</a>',
        '<a href="http://x/q"></a>',
        '<a href="http://x/q"><img src="http://x/y.png"></a>',
        '<a href="http://x/q">Version 2.0</a>',
        '<a href="http://x/q">jo@example.com</a>',
        '<a href="http://x/q">e.g.</a>',
        '<a href="http://x/q" data-track="yes">t</a>',
        '<a href="http://x/q" data-no-track="false">t</a>',
        '<a href="http://x/q" disable-tracking="false">t</a>',
        '<a href="http://x/q" title="http://y/">t</a>',
        '<area href="http://x/q">',
        '<!--[if mso]><v:rect href="http://x/q"><![endif]-->',
    ],
)
def test_tracked(link: str) -> None:
    assert tracked(link) == ["http://x/q"]


def test_shown_addresses_when_told_to() -> None:
    link = '<a href="http://x/q">http://x/q</a>'
    assert tracked(link, Rules(clicks=True, shown_addresses=True)) == ["http://x/q"]


def test_what_the_submitter_names_for_unsubscribing_is_left_alone() -> None:
    text = '<a href="http://x/leave?a=1&amp;b">t</a><a href="http://x/stay">t</a>'
    assert tracked(text, Rules(clicks=True, untouched=frozenset({"http://x/leave?a=1&b"}))) == ["http://x/stay"]


def test_places() -> None:
    text = "<a class=a href=http://x/ id=b>t</a>"
    assert list(find_html_links(text, read_html(text), RULES)) == [Found(16, 25, "http://x/", True)]
    assert text[16:25] == "http://x/"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x/", "https://x/?utm=a"), ("https://x/?q", "https://x/?q&utm=a"), ("https://x/?", "https://x/?utm=a"),
        ("https://x/?q&", "https://x/?q&utm=a"), ("https://x#f", "https://x?utm=a#f"),
    ],
)  # fmt: skip
def test_url_tags(url: str, expected: str) -> None:
    assert add_tags(url, "utm=a") == add_tags(url, "?utm=a") == expected


def test_url_tags_come_to_links_that_are_not_tracked_too() -> None:
    text = '<a href="http://x/">http://x/</a><a href="http://x/" data-no-track>t</a><a href="mailto:a@b">t</a><a href="http://x/unsubscribe">t</a>'
    rules = Rules(clicks=True, url_tags='utm=a b"<')
    assert [(found.url, found.is_tracked) for found in find_html_links(text, read_html(text), rules)] == [("http://x/?utm=a%20b%22%3C", False)] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See http://x/y.", ["http://x/y"]),
        ("(https://x/y_(z))", ["https://x/y_(z)"]),
        ("<http://x/y> and http://z/?a=1&copy=2, too", ["http://x/y", "http://z/?a=1&copy=2"]),
        ("HTTP://x/y!?", ["http://x/y"]),
        ("http://x/unsubscribe", []),
        ("ftp://x www.x.y", []),
        ("http://", []),
        ("https://x/[[EMAIL_TO]]", []),
    ],
)
def test_text_links(text: str, expected: list[str]) -> None:
    found = list(find_text_links(text, RULES))
    assert [one.url for one in found] == expected
    assert all(text[one.start : one.end].lower() == one.url.lower() for one in found)


@pytest.mark.parametrize(
    ("text", "expected"), [("Node.js", True), ("a.b", False), ("example.com.", False), ("www.x", True), ("", False), ("two words.com", False)]
)
def test_what_looks_like_an_address(text: str, expected: bool) -> None:
    assert is_address(text) is expected
