"""What a page says as lines of text, and where values stand in it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.prepare.frames import escaped
from estafette.prepare.html_spans import read_html
from estafette.prepare.html_walk import Context, Kind, contexts_of, text_of_html, walk

FRAGMENT = st.sampled_from([
    "<a href='x'>", "</a>", "<p>", "</p>", "<br>", "<!--", "-->", "<!--[if mso]>", "<![endif]-->", "<!>", "<!DOCTYPE html>", "<script>", "</script>", "<title>",
    "</title>", "<", ">", "< 3", "a b", "\n", "<td", " x='", "'", '"', "=", "</", "<plaintext>", "&amp;", "<!-->", "<![if x]>",
])  # fmt: skip


@pytest.mark.parametrize(("html", "text"), [
    ("<h1>A  b</h1><p>c\n d<br>e</p><p>f</p>", "A b\n\nc d\ne\n\nf"),
    ("<div>a</div><div>b</div>x", "a\nb\nx"),
    ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    ('<p>Write to <a href="mailto:a@b.example">us</a>&nbsp;&amp; wait</p>', "Write to us & wait"),
    ("<style>p{color:red}</style><title>t</title><script>x</script><!-- c --><!--[if mso]>Outlook<![endif]--><p>1 < 2</p>", "1 < 2"),
    ("a<ul><li>b<li>c</ul>d", "a\nb\nc\nd"),
    ("a<br><br><br>b", "a\n\nb"),
    ("a<b", "a"),
    ("\x01\x02", ""),
])  # fmt: skip
def test_a_page_as_text(html: str, text: str) -> None:
    assert text_of_html(html) == text


@given(st.lists(FRAGMENT, max_size=20).map("".join))
def test_all_of_a_text_is_walked_once_and_the_same_tags_are_seen(text: str) -> None:
    pieces = list(walk(text))
    assert "".join(text[piece.start : piece.end] for piece in pieces) == text
    tags = {piece.tag.start() for piece in pieces if piece.kind is Kind.TAG and piece.tag is not None}
    for link in read_html(text).links:
        assert any(start < link.start for start in tags)
    assert sum(piece.kind is Kind.TAG and text[piece.start : piece.end] == "<a href='x'>" for piece in pieces) == len(read_html(text).links)


def test_where_values_stand() -> None:
    html = (
        '<html lang="w0w"><title>w1w</title><p class="w2w">w3w</p><a href="w4w">x</a><a href="https://x.example/w5w">x</a><a href=\'/?q=w6w\'>x</a>'
        '<a href=w7w data-track="w8w" w9w>x</a><!-- w10w --><!--[if w11w]>w12w<![endif]--></w13w><a href="w14w'
    )
    assert [context.name for context in contexts_of(html, re.compile(r"w\d+w"))] == [
        "ODD", "TEXT", "ATTRIBUTE", "TEXT", "ADDRESS", "PATH", "QUERY", "ODD", "ODD", "ODD", "ODD", "ODD", "TEXT", "ODD", "ODD",
    ]  # fmt: skip


@pytest.mark.parametrize(("context", "written"), [
    (Context.TEXT, "a&amp;b/ &lt;é&gt;&quot;"), (Context.ADDRESS, "a&amp;b/ &lt;é&gt;&quot;"),
    (Context.PATH, "a%26b/%20%3C%C3%A9%3E%22"), (Context.QUERY, "a%26b%2F%20%3C%C3%A9%3E%22"),
])  # fmt: skip
def test_a_value_is_written_as_its_place_asks_for(context: Context, written: str) -> None:
    assert escaped('a&b/ <é>"', context) == written
