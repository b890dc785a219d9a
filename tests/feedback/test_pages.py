"""What recipients see, and which words of theirs act."""

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from estafette.feedback.orders import Order, read_order
from estafette.feedback.pages import HEADERS, STYLE, Page, language_of, masked, page
from estafette.feedback.targets import location

FORM = "application/x-www-form-urlencoded"
EVIL = "<script>alert(1)</script>\"'&{author}"


@pytest.mark.parametrize("language", ["en", "fr", "de"])
@pytest.mark.parametrize("which", Page)
def test_every_page_is_whole_and_harmless(which: Page, language: str) -> None:
    made = page(which, language, EVIL, f"{EVIL}@x.example").decode()
    tree = HTMLParser(made)
    root, style = tree.css_first("html"), tree.css_first("style")
    assert root is not None and root.attributes["lang"] == (language if language != "de" else "en")
    assert style is not None and style.text() == STYLE
    assert tree.css("script, img, link, a[href], iframe") == [] and "alert(1)</script>" not in made
    assert len(tree.css("h1")) == 1 and tree.css("title")[0].text() == tree.css("h1")[0].text()
    has_form = which in (Page.ASK, Page.DONE, Page.LEFT_LIST, Page.ALREADY, Page.UNDONE, Page.UNCLEAR)
    assert [f.attributes.get("method") for f in tree.css("form")] == ["post"] * has_form
    assert all(f.attributes.get("action") is None for f in tree.css("form"))
    assert "{" not in tree.css("p")[0].text().replace("{author}", "")


def test_the_policy_allows_our_style_and_nothing_else() -> None:
    policy = dict(HEADERS)["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy and "script" not in policy


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        ("fr", "en", "fr"), ("FR", "", "fr"), ("", "", "en"), ("de", "fr", "fr"), ("", "fr-FR,fr;q=0.9,en;q=0.8", "fr"), ("", "de,en;q=0.5,fr;q=0.7", "fr"),
        ("", "en-US,fr;q=0.9", "en"), ("", "fr;q=0,en;q=0.1", "en"), ("", "fr;q=x", "en"), ("", ",;,=", "en"),
    ],
)  # fmt: skip
def test_the_language(wanted: str, accepted: str, language: str) -> None:
    assert language_of(wanted, accepted) == language


def test_addresses_are_masked() -> None:
    assert [masked(a) for a in ("jolanda@x.example", "jo@x.example", "", "é@x.example")] == ["j…a@x.example", "j…@x.example", "…", "é…@x.example"]


MULTIPART = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("content_type", "body", "order"),
    [
        (FORM, b"List-Unsubscribe=One-Click", Order.ONE_CLICK),
        (f"{FORM}; charset=utf-8", b"List-Unsubscribe=One-Click\r\n", Order.ONE_CLICK),
        ("", b"List-Unsubscribe=One-Click", Order.ONE_CLICK),
        ("multipart/form-data; boundary=b", MULTIPART, Order.ONE_CLICK),
        ('multipart/form-data; boundary="b"', b"preamble\r\n" + MULTIPART, Order.ONE_CLICK),
        ("multipart/form-data", MULTIPART, None),
        ("multipart/form-data; boundary=c", MULTIPART, None),
        (FORM, b"action=unsubscribe", Order.UNSUBSCRIBE),
        (FORM, b"action=resubscribe", Order.RESUBSCRIBE),
        (FORM, b"action=leave-list", Order.LEAVE_LIST),
        (FORM, b"action=unsubscribe&action=resubscribe", None),
        (FORM, b"action=drop", None),
        (FORM, b"", None),
        (FORM, b"List-Unsubscribe=one-click", None),
        (FORM, b"list-unsubscribe=One-Click", None),
        (FORM, b"x=List-Unsubscribe=One-Click", None),
        (FORM, b"&".join(b"a=%d" % n for n in range(1000)), None),
        ("application/json", b'{"List-Unsubscribe":"One-Click"}', None),
        ("text/plain", b"List-Unsubscribe=One-Click", None),
        (FORM, b"\xff\xfe%zz", None),
    ],
)
def test_only_three_words_act(content_type: str, body: bytes, order: Order | None) -> None:
    assert read_order(content_type, body) is order


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example/a?b=c&d=%20#e", b"https://shop.example/a?b=c&d=%20#e"),
        ("http://user@shop.example:8080/", b"http://user@shop.example:8080/"),
        ("https://shop.example/é", b"https://shop.example/%C3%A9"),
        ('https://shop.example/"<b>', b"https://shop.example/%22%3Cb%3E"),
        ("javascript:alert(1)", None), ("data:text/html,x", None), ("//evil.example/", None), ("https:///path", None), ("https://", None), ("", None),
        ("https://shop.example/\r\nSet-Cookie: a=b", None), ("https://shop.example/a b", None), ("https://evil.example\\@shop.example/", None),
        ("https://[::1", None), ("https://x:99999/", None), ("ftp://x.example/", None),
    ],
)  # fmt: skip
def test_targets(url: str, target: bytes | None) -> None:
    assert location(url) == target
