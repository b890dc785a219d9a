"""MJML to HTML behind its guard."""

import subprocess
import sys
import time

import pytest

from estafette.prepare.template.mjml import to_html
from estafette.prepare.template.running import TemplateError


def page(inside: str, attributes: str = "") -> str:
    return f"<mjml><mj-body><mj-section><mj-column><mj-text>{inside}</mj-text><mj-button {attributes}>go</mj-button></mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize("inside", [
    '{{var:x:"a"}}', "{% if var:a > 3 %}y{% endif %}", "{% for x in var:y %}{{x.a}}{% endfor %}", "a\u00a0b", "\u200d\u200b", "a\tb\\c", "été 日本 🙂",
    "[[UNSUB_LINK_EN]]", "zq0x", "zq",
])  # fmt: skip
def test_nothing_is_harmed(inside: str) -> None:
    made = to_html(page(inside))
    assert isinstance(made, str)
    assert inside in made


@pytest.mark.parametrize("value", ["https://a.test/?x={{var:u}}&amp;y=[[var:z]]", "a\u00a0b", "a\\b\tc", "été\u200d", "{{mj:unsub_link}}"])
def test_nothing_is_harmed_in_attributes(value: str) -> None:
    made = to_html(page("x", f'href="{value}"'))
    assert isinstance(made, str)
    assert f'href="{value}"' in made


@pytest.mark.parametrize(("source", "why"), [
    ("", "mjml element"), ("<mjml><mj-body>", ""), ("plain text", ""), ('<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>', "include"),
    ("<mjml><mj-body><mj-raw>" + "<div>" * 5000 + "</div>" * 5000 + "</mj-raw></mj-body></mjml>", "levels deep"),
    ("<mjml><mj-body><mj-raw>" + "<div title='</div>'>" * 5000 + "</mj-raw></mj-body></mjml>", "levels deep"),
    ("<mjml><mj-body><mj-raw>" + "<div><!--</div>-->" * 5000 + "</mj-raw></mj-body></mjml>", "levels deep"),
    ("<mjml><mj-body><mj-raw>" + "<div><![CDATA[</div>]]>" * 5000 + "</mj-raw></mj-body></mjml>", "levels deep"),
    ("x" * 500_001, "longer than"), ("<mjml" * 1000, ""), ("<!--" * 50_000, "not closed"),
], ids=range(11))  # fmt: skip
def test_what_cannot_be_compiled_says_so(source: str, why: str) -> None:
    before = time.process_time()
    made = to_html(source)
    assert isinstance(made, TemplateError)
    assert why in made.text
    assert time.process_time() - before < 10


def test_the_guard_is_needed() -> None:
    """When this fails, the library has become safe and its guard may go."""
    code = "import mjml; mjml.mjml2html('<mjml><mj-body><mj-raw>' + '<div>' * 60000 + '</div>' * 60000 + '</mj-raw></mj-body></mjml>')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode < 0
