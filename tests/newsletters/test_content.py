"""Markdown, MJML and style sheets become HTML; tags of the template language come through untouched."""

import pytest

from estafette.newsletters.content import MAX_SOURCE, ContentError, from_markdown, from_mjml, with_inline_styles


def test_markdown() -> None:
    made = from_markdown('# Hi {{data:nick:"you & me"}}\n\n[shop]({{var:url}}) *zq0x*\n\n'
                         '{% if var:x > 1 %}\n\n- a\n\n{% endif %}\n\n|a|b|\n|-|-|\n|1|[[UNSUB_LINK_FR]]|\n')
    for part in ('<h1>Hi {{data:nick:"you & me"}}</h1>', '<a href="{{var:url}}">shop</a> <em>zq0x</em>', "{% if var:x > 1 %}", "<td>[[UNSUB_LINK_FR]]</td>"):
        assert part in made


@pytest.mark.parametrize("unit", ["{%", "{{", "<", "[[", "{% %", "{{ }", "<{%"])
def test_what_is_never_closed_takes_no_time(unit: str) -> None:
    assert with_inline_styles(unit * 50_000) and from_markdown(f"`{unit * 20_000}`")


def test_mjml() -> None:
    assert "{{data:nick}}" in from_mjml("<mjml><mj-body><mj-text>{{data:nick}}</mj-text></mj-body></mjml>")
    with pytest.raises(ContentError):
        from_mjml("<mjml><mj-body></mjml>")


def test_styles_become_attributes() -> None:
    rows = "<tbody>{% for r in var:rows %}<tr><td>{{r}}</td></tr>{% endfor %}</tbody>"
    html = ('<html><head><style>p { color: red } @media (max-width: 9px) { p { color: blue } }</style>'
            '<link rel="stylesheet" href="http://127.0.0.1:1/x.css"></head>'
            f'<body><p title="{{{{data:a:"b"}}}}">{{{{data:x:"<"}}}}</p><table>{rows}</table></body></html>')  # fmt: skip
    made = with_inline_styles(html)
    for part in ('style="color: red;', "@media", '{{data:x:"<"}}</p>', rows, '{{data:a:"b"}}'):
        assert part in made, made
    with pytest.raises(ContentError, match="longer"):
        with_inline_styles("x" * (MAX_SOURCE + 1))
