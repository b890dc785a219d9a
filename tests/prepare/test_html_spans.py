"""Where links stand. Oracle: selectolax (lexbor, an implementation of the HTML standard) finds the same ones."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from estafette.prepare.html_spans import MAX_LINKS, Html, read_html
from estafette.prepare.links import unescape


def hrefs(text: str) -> list[str]:
    return [text[link.start : link.end] for link in read_html(text).links]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("<a href='http://x/'>t</a>", ["http://x/"]),
        ('<A HREF="http://x/">t</A>', ["http://x/"]),
        ("<a href=http://x/>t</a>", ["http://x/"]),  # the slash belongs to the value
        ("<a href=http://x/y/ class=b>t</a>", ["http://x/y/"]),
        ("<a href = \n 'http://x/'>", ["http://x/"]),
        ("<a\thref='1'/>", ["1"]),
        ("<a/href='1'/title=x>", ["1"]),
        ("<a href>", [""]),
        ("<a href=>", [""]),
        ("<a href=''>", [""]),
        ("<a class='x>y' href='1'>", ["1"]),
        ("<a title=\"it's\" href='1'>", ["1"]),
        ("<a title=a\"b href='1'>", ["1"]),  # a quote inside of an unquoted value is a character
        ("<a href='1' href='2'>", ["1"]),  # duplicates: the first counts
        ("<a HREF='1' href='2'>", ["1"]),
        ("<a data-href='1'>", []),
        ("<a xlink:href='1'>", []),
        ('<a =href="1" href="2">', ["2"]),  # an equals sign in the first place belongs to the name
        ("<a href='1'title='x'>", ["1"]),
        ("<a 'href'='1'>", []),
        ("<area href='1'><map><area shape=rect href=2></map>", ["1", "2"]),
        ("<abbr href='1'>", []),
        ("<article><a\nhref='1'>", ["1"]),
        ("<link href='1'><base href='2'>", []),
        ("< a href='1'>", []),
        ("1<2 and 2 < 3 <a href='1'>", ["1"]),
        ("a<b and <a href='1'>", []),  # a browser sees an element b with attributes
        ("</a href='1'>", []),
        ("</ a href='x><a href=1>", ["1"]),  # a bogus comment ends at the first >
        ("<!DOCTYPE html><?xml version='1.0'?><a href=1>", ["1"]),
        ("<![CDATA[<a href='0'>]]><a href=1>", ["1"]),
        ("<!-- <a href='0'> --><a href=1>", ["1"]),
        ("<!--><a href=1>--><a href=2>", ["1", "2"]),
        ("<!---><a href=1>", ["1"]),
        ("<!--x--!><a href=1>", ["1"]),
        ("<!-- a -- b --><a href=1>", ["1"]),
        ("<!-- <!-- <a href=0> --><a href=1> -->", ["1"]),  # comments do not nest
        ("<script>if (a<b) '<a href=0>'</script><a href=1>", ["1"]),
        ("<style>a > b { content: '<a href=0>' }</STYLE ><a href=1>", ["1"]),
        ("<textarea><a href=0></textareas></textarea><a href=1>", ["1"]),
        ("<title><a href=0></title><a href=1>", ["1"]),
        ("<style><!-- </style><a href=1>-->", ["1"]),
        ("<script src=x/><a href=0></script><a href=1>", ["1"]),  # no element of these closes itself
        ("<img alt=\"<a href='0'>\"><a href=1>", ["1"]),
        ("<a href='http://x/?a=1&amp;b=2'>", ["http://x/?a=1&amp;b=2"]),
        ("<a href='{{var:link}}'>", ["{{var:link}}"]),
        ("<td {% if x %}href='0'{% endif %}><a href=1>", ["1"]),
    ],
)
def test_links(text: str, expected: list[str]) -> None:
    assert hrefs(text) == expected


def test_the_inside_of_conditional_comments_is_seen() -> None:
    text = (
        '<!--[if mso]><v:roundrect xmlns:v="urn:x" href="http://x/1" arcsize="8%"><w:anchorlock/><center><a href="http://x/2">t</a></center>'
        '</v:roundrect><![endif]-->'
        '<!--[if !mso]><!--><a href="http://x/3">t</a><!--<![endif]-->'
        '<!--[if (gte mso 9)|(IE)]><a href="http://x/4"><![endif]--><![if !mso]><a href="http://x/5"><![endif]>'
    )  # fmt: skip
    found = read_html(text)
    assert [(text[link.start : link.end][-1], link.element, link.is_conditional) for link in found.links] == [
        ("1", "v:roundrect", True), ("2", "a", True), ("3", "a", False), ("4", "a", True), ("5", "a", False)]  # fmt: skip


def test_a_link_that_goes_on_after_a_conditional_comment_keeps_its_content() -> None:
    text = "<a href=1>x<!--[if mso]><a href=2>y</a><![endif]-->z</a>"
    found = {text[link.start : link.end]: text[link.content_start : link.content_end] for link in read_html(text).links}
    assert found == {"1": "x<!--[if mso]><a href=2>y</a><![endif]-->z", "2": "y"}


@pytest.mark.parametrize(
    "text", ["<!--[if mso]><a href='1", "<!--[if mso]><!--><a href='1'", "<!--[if mso]><style>-->", "<!--[if", "<!--[if mso]>", "<!--[if]-->"]
)
def test_conditional_comments_that_end_badly(text: str) -> None:
    assert hrefs(text) == []


@pytest.mark.parametrize(
    ("text", "end", "is_whole"),
    [
        ("<html><body>x</body></html>", "</body></html>", True),
        ("<p>x", "", True),
        ("<p>x</html>\n", "</html>\n", True),
        ("<body>x</BODY ><p></body>", "</body>", True),  # the last one
        ("<body>x<!-- </body> -->", "", True),
        ("<body>x</body><!-- </body>", "</body><!-- </body>", True),
        ("<p>x<a href='", "", False),
        ("<p>x\r\n \t", "\r\n \t", True),
        ("<p>x<!--", "", False),
        ("<style>x", "", False),
        ("<plaintext>x", "", False),
        ("<p", "", False),
    ],
)
def test_the_end_of_the_body(text: str, end: str, is_whole: bool) -> None:
    found = read_html(text)
    assert (text[found.body_end :], found.is_whole) == (end, is_whole)


def test_base_and_language() -> None:
    found = read_html("<html LANG=fr><base target=_blank><base href='http://x/y/'><base href='http://z/'>")
    assert (found.base, found.language) == ("http://x/y/", "fr")


def test_no_more_than_the_limit() -> None:
    assert len(read_html("<a href=1>" * (MAX_LINKS + 10)).links) == MAX_LINKS


# -- against selectolax -------------------------------------------------------------------------------------------------------

# No svg, math, select, template, frameset, plaintext and noscript: what is a tag in them depends on the tree, or on scripting.
_WORDS = [
    "<a ", "<A", "<area ", "<p ", "<img ", "</a>", "</p>", "<style>", "</style>", "<script>", "</script>", "<textarea>", "</textarea>", "<title>", "</title>",
    "<!--", "-->", "--!>", "->", "<!", "<?", "</", "<", ">", "/>", "/", "href", "HREF", "href=", " href = ", "=", '"', "'", " ", "\n", "\t", "\f", "&amp;", "&",
    "http://x/", "class=", "a", "é", "[if mso]>", "<![endif]", "-", "!", "\x00", "ſ",
]  # fmt: skip


def seen_by_a_browser(text: str) -> set[str]:
    return {value or "" for node in LexborHTMLParser(text).css("a[href], area[href]") for value in [node.attributes["href"]]}


def as_browser(value: str) -> str:
    """A value as the DOM has it."""
    return unescape(value.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd"))


def visible(found: Html) -> list[tuple[int, int]]:
    return [(link.start, link.end) for link in found.links if not link.is_conditional and not link.element.startswith("v:")]


@given(st.lists(st.sampled_from(_WORDS), max_size=30).map("".join))
@example("<script><a href=0>")
@example("<a href='<a href=\"1\">'>")
@example("<!-- --!<a href=1>-->")
def test_a_browser_sees_the_same_links(text: str) -> None:
    text = "<!DOCTYPE html><body>" + text
    if "<script" in text and "<!--" in text:
        return  # a script in a comment in a script: mail has none, and the states for it would be most of the reader
    assert {as_browser(text[start:end]) for start, end in visible(read_html(text))} == seen_by_a_browser(text)


@given(st.lists(st.sampled_from(_WORDS), max_size=30).map("".join), st.text(max_size=20))
def test_every_value_can_be_replaced_and_nothing_else_changes(text: str, other: str) -> None:
    """The links are found again in their places, with the new values; what is between them stays."""
    found = read_html(text)
    pieces, position = [], 0
    for i, link in enumerate(found.links):
        assert position <= link.start <= link.end
        if link.start == link.end:
            continue  # has no value that could be replaced
        pieces += [text[position : link.start], f"http://t/{i}"]
        position = link.end
    again = "".join([*pieces, text[position:]])
    expected = [f"http://t/{i}" if link.start < link.end else "" for i, link in enumerate(found.links)]
    assert hrefs(again) == expected
    kept = [link for link in read_html(again).links if link.start < link.end]
    edges = zip([0, *[link.end for link in kept]], [*[link.start for link in kept], len(again)], strict=True)
    assert "".join(pieces[::2]) + text[position:] == "".join(again[start:end] for start, end in edges)


@given(st.text())
def test_anything_may_come(text: str) -> None:
    found = read_html(text)
    assert 0 <= found.body_end <= len(text)


@pytest.mark.parametrize(
    "piece",
    ["<", "a<", "<a ", "<a href=", "<a href='", "<a href=x ", "</", "<!--", "<!--[if mso]>", "-->", "<p =", "<p / ", "<p '", "<a \"", "<style></", "<!",
     "<p x=y>", "<a href='x'>", "<title>", "&", "<v:r href=x>", " ", "<p a ", "<p a\n=\n", "<!--[if mso]><a href=x"],
)  # fmt: skip
def test_linear_time(piece: str) -> None:
    """A megabyte of anything in a second; ten times that of a quadratic reader would be hours."""
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    read_html(text)
    assert time.process_time() - started < 4
