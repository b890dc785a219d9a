"""The template language as a table: source and variables on the left, what is printed or what is said on the right."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.prepare.template.compiling import MAX_NESTED, compile_template, render, run_through
from estafette.prepare.template.expressions import MAX_DEPTH
from estafette.prepare.template.legacy import fill_legacy
from estafette.prepare.template.library import Library
from estafette.prepare.template.running import Facts, Halted, Printed, TemplateError, Told

VARIABLES = {
    "name": "Zoë", "n": 7, "f": 2.5, "zero": 0, "yes": True, "no": False, "empty": "", "nothing": None, "big": 2_147_483_648, "huge": 10**30,
    "items": [{"title": "tea", "price": 1.5, "count": 2}, {"title": "pot", "price": 20, "count": 1}], "o": {"a": {"b": "deep"}, "c": [1, 2]},
    "first-name": "Jo", "list": [3, 1, 2], "html": "<b> & \"c\"",
}  # fmt: skip
FACTS = Facts(VARIABLES, {"city": "Lyon"}, {"contact": {"email": "jo@example.net"}}, {"vip": True, "12": False}, days_since_open=3.5)


def run(source: str, *, is_html: bool = False) -> str:
    try:
        rendered = render(compile_template(source, is_html=is_html), FACTS)
    except Halted as halted:
        return f"! {halted.error}"
    return f"! {rendered.error}" if rendered.error else rendered.text


@pytest.mark.parametrize(("source", "printed"), [
    ("plain { text } }} %} [[var:x]] {", "plain { text } }} %} [[var:x]] {"),
    ("Hello {{var:name}}!", "Hello Zoë!"),
    ("{{ var:name }}{{var:n}}{{ var:f }}{{var:yes}}{{var:no}}", "Zoë72.5truefalse"),
    ("{{var:first-name}} {{var:o.a.b}} {{var:o.c.1}} {{var:list.0}}", "Jo deep 2 3"),
    ("{{var:o}}", '{"a":{"b":"deep"},"c":[1,2]}'),
    ('{{var:missing:"N/A"}} {{var:missing:3}} {{var:missing:-1.5}} {{var:missing:true}} {{var:o.a.x:"no"}}', "N/A 3 -1.5 true no"),
    ('{{var:name:"N/A"}} {{var:no:true}} {{var:zero:5}} {{var:nothing:"null"}}', "Zoë false 0 null"),
    ("{{data:city}} {{mj:contact.email}} {{data:street:'-'}}", "Lyon jo@example.net -"),
    # arithmetic
    ("{{1+2*3}} {{(1+2)*3}} {{7/2}} {{4/2}} {{7 div 2}} {{-7 div 2}} {{7 mod 3}} {{-7 mod 3}} {{7.5 mod 2}}", "7 9 3.5 2 3 -3 1 -1 1.5"),
    ("{{10 - 2 - 3}} {{100 / 10 / 2}} {{2 - -3}} {{-var:n}} {{var:big + 1}} {{var:n*var:f}}", "5 5 5 -7 2147483649 17.5"),
    ("{{0.1+0.2}} {{1/3}} {{1000000*1000000}} {{1.0}}", "0.3 0.333333333333333 1000000000000 1"),
    ('{{"a" + "b"}} {{"say \\"x\\"\\n"}}', 'ab say "x"\n'),
    # comparison, logic
    ('{{1 = 1}}{{1 == 1.0}}{{1 === 2}}{{1 != 2}}{{1 <> 1}}{{"a" < "b"}}{{2 >= 2}}{{2 <= 1}}{{"1" = 1}}{{true = 1}}',
     "truetruefalsetruefalsetruetruefalsefalsefalse"),
    ("{{true and false}} {{true or false}} {{true xor true}} {{not true}} {{!false}} {{not not true}}", "false true false false true true"),
    ("{{false and var:missing}} {{true or var:missing}} {{1 > 2 or 2 > 1 and not false}} {{true && false || true}}", "false true true true"),
    ("{{segment:vip}} {{segment:12}}{% if segment:vip %} in{% endif %}", "true false in"),
    # functions, in any case
    ('{{Upper("straße")}} {{lower("ÀB")}} {{Capitalize("été")}} {{UrlEncode("a b&é/")}} {{Escape(var:html)}}',
     "STRASSE àb Été a%20b%26%C3%A9%2F &lt;b&gt; &amp; &quot;c&quot;"),
    ('{{Round(2.675, 2)}} {{Round(2.5)}} {{Round(-0.5)}} {{Round(7,2)}} {{Int(7.9)}} {{Int("12.7")}} {{Int(-7.9)}}', "2.68 3 -1 7 7 12 -7"),
    ('{{FormatNumberLocale(1234567.891, 2, "fr_FR")}} {{FormatNumberLocale(1234.5, "de-DE")}} {{FormatNumberLocale(1234.5, "#,##0.00")}}',
     "1\u202f234\u202f567,89 1.234,5 1,234.50"),
    ("{{HasOpenedSince(4)}} {{HasOpenedSince(3)}} {{HasClickedSince(1000)}}", "true false false"),
    # the platform's own links become the tags that are filled in for each recipient
    ("{{mj:unsub_link}} {{mj:unsub_link_fr}} {{mj:permalink}} {{mj:share_twitter}}", "[[UNSUB_LINK_EN]] [[UNSUB_LINK_FR]] [[PERMALINK]] [[SHARE_TWITTER]]"),
    # statements
    ("{% if var:n > 5 %}big{% elseif var:n > 3 %}middle{% else %}small{% endif %}", "big"),
    ("{% if var:n > 50 %}big{% elseif var:n > 3 %}middle{% else %}small{% endif %}", "middle"),
    ("{% if var:n > 50 %}big{% else if var:n > 30 %}middle{% else %}small{% endif %}.", "small."),
    ("{% if var:empty %}a{% endif %}{% if var:zero %}b{% endif %}{% if var:list %}c{% endif %}{%if var:yes%}d{%endif%}", "cd"),
    ("{% if var:test:true %}then{% endif %}{% if var:test:false %}then{% else %}else{% endif %}", "thenelse"),
    ("{% for x in var:items %}{{x.title}}: {{x.price * x.count}}; {% endfor %}", "tea: 3; pot: 20; "),
    ("{% for x in var:o %}{{x}} {% endfor %}{% for x in var:o.c %}{{x}}{% endfor %}", '{"b":"deep"} [1,2] 12'),
    ("{% for x in var:list %}{% for y in var:list %}{{x*y}} {% endfor %}{% endfor %}", "9 3 6 3 1 2 6 2 4 "),
    ("{% set total = 0 %}{% for x in var:items %}{% set total = total + x.price * x.count %}{% endfor %}{{total}}", "23"),
    ('{% set my-name = "a" %}{% set my-name = my-name + "b" %}{{my-name}}', "ab"),
    ("{% set x = 1 %}{% for x in var:list %}{% endfor %}{{x}}", "1"),
    ("{% set row = var:items.1 %}{{row.title}}", "pot"),
    ('{{ "}}" }}{{ "%}" }}{{ 5 mod 3 }}', "}}%}2"),
])  # fmt: skip
def test_what_is_printed(source: str, printed: str) -> None:
    assert run(source) == printed


@pytest.mark.parametrize(("source", "said"), [
    ("{{var:day}}", "expression parsing error ## Unknown identifier: var:day ## near ## {{var:day}} ## line 1, column 1"),
    ("a\nbc {{day}}", "expression parsing error ## Unknown identifier: day ## near ## {{day}} ## line 2, column 4"),
    ("{% if var:test %}{% endif %}", "expression parsing error ## Unknown identifier: var:test ## near ## {% if var:test %} ## line 1, column 1"),
    ("{{var:nothing}}", "expression parsing error ## Unknown identifier: var:nothing ## near ## {{var:nothing}} ## line 1, column 1"),
    ("{{segment:x}}", "expression parsing error ## Unknown identifier: segment:x ## near ## {{segment:x}} ## line 1, column 1"),
    ("{{var:name.x}}", "expression parsing error ## Unknown identifier: var:name.x ## near ## {{var:name.x}} ## line 1, column 1"),
    ("{% for x in var:name %}{% endfor %}",
     'expression parsing error ## "var:name" is not an array value, but a text ## near ## {% for x in var:name %} ## line 1, column 1'),
    ("{% for x in var:list %}{% endfor %}{{x}}", "expression parsing error ## Unknown identifier: x ## near ## {{x}} ## line 1, column 36"),
    ("{{1/0}}", "expression parsing error ## division by zero ## near ## {{1/0}} ## line 1, column 1"),
    ("{{1 + var:name}}", "expression parsing error ## a text where a number is expected ## near ## {{1 + var:name}} ## line 1, column 1"),
    ("{{var:list = 1}}", "expression parsing error ## arrays and objects cannot be compared ## near ## {{var:list = 1}} ## line 1, column 1"),
    ("{{Round(1.5, 99)}}", "expression parsing error ## decimals must be a whole number from 0 to 15 ## near ## {{Round(1.5, 99)}} ## line 1, column 1"),
    ("{% if x %}", "not valid template ## if has no endif ## near ## {% if x %} ## line 1, column 1"),
    ("{{ x", "not valid template ## the tag is not closed ## near ## {{ x ## line 1, column 1"),
    ("a {% if x }}", "not valid template ## the tag is not closed ## near ## {% if x }} ## line 1, column 3"),
    ("{{}}", "not valid template ## the tag is empty ## near ## {{}} ## line 1, column 1"),
    ("{{1 +}}", "not valid template ## the expression ends too early ## near ## {{1 +}} ## line 1, column 1"),
    ("{{(1}}", "not valid template ## ')' expected ## near ## {{(1}} ## line 1, column 1"),
    ("{{1 2}}", "not valid template ## unexpected '2' ## near ## {{1 2}} ## line 1, column 1"),
    ("{{var:x:word}}", "not valid template ## unexpected ':word' ## near ## {{var:x:word}} ## line 1, column 1"),
    ("{{system(1)}}", "not valid template ## there is no function system ## near ## {{system(1)}} ## line 1, column 1"),
    ("{{Upper()}}", "not valid template ## Upper takes 1 values ## near ## {{Upper()}} ## line 1, column 1"),
    ("{% include x %}", "not valid template ## there is no statement 'include' ## near ## {% include x %} ## line 1, column 1"),
    ("{% endif %}", "not valid template ## endif without if ## near ## {% endif %} ## line 1, column 1"),
    ("{% for x in var:list %}{% endif %}", "not valid template ## endif without if ## near ## {% endif %} ## line 1, column 24"),
    ("{% else %}", "not valid template ## else without if ## near ## {% else %} ## line 1, column 1"),
    ("{% if 1 %}{% else %}{% else %}{% endif %}", "not valid template ## else after else ## near ## {% else %} ## line 1, column 21"),
    ("{% set 1 = 2 %}", "not valid template ## set must be written: set name = value ## near ## {% set 1 = 2 %} ## line 1, column 1"),
    ("{% for x of y %}{% endfor %}", "not valid template ## for must be written: for name in array ## near ## {% for x of y %} ## line 1, column 1"),
])  # fmt: skip
def test_what_is_said(source: str, said: str) -> None:
    assert run(source) == f"! {said}"


def test_the_error_names_its_variable() -> None:
    rendered = render(compile_template("{{var:a.b}}"), Facts())
    assert rendered.error is not None
    assert (rendered.error.variable, rendered.error.is_syntax) == ("var:a.b", False)


def test_editors_write_entities_into_tags() -> None:
    assert run("{% if var:n &gt; 5 &amp;&amp; true %}{{var:x:&quot;a&quot;}} &gt;{% endif %}", is_html=True) == "a &gt;"


def test_past_an_error_when_the_mail_must_go_out() -> None:
    source = "a{{var:x}}b{% if var:y %}c{% else %}d{% endif %}{% for z in var:z %}e{% endfor %}{{var:n}}"
    rendered = render(compile_template(source), FACTS, is_lenient=True)
    assert rendered.text == "abd7"
    assert rendered.error is not None and rendered.error.variable == "var:x", "the first one is told"


@pytest.mark.parametrize("source", [
    "{% for a in var:l %}{% for b in var:l %}{% for c in var:l %}{{a+b+c}}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in var:l %}{% for b in var:l %}{% for c in var:l %}{% endfor %}{% endfor %}{% endfor %}",
    '{% set s = "0123456789" %}{% for a in var:l %}{% set s = s + s %}{% endfor %}',
    "{% set s = var:text %}{% for a in var:l %}{% for b in var:l %}{% if Upper(s) = Lower(s) %}{% endif %}{% endfor %}{% endfor %}",
    "{% for a in var:l %}{{var:text}}{% endfor %}",
    "{% for a in var:l %}{{var:l}}{% endfor %}",
])  # fmt: skip
@pytest.mark.parametrize("is_lenient", [False, True])
def test_the_budget_ends_it(source: str, is_lenient: bool) -> None:
    facts = Facts({"l": list(range(2000)), "text": "x" * 100_000})
    rendered = render(compile_template(source), facts, is_lenient=is_lenient)
    assert rendered.error is not None
    assert "more than" in rendered.error.text
    assert len(rendered.text) <= 2_000_000


def test_numbers_that_grow_are_stopped() -> None:
    assert "too large" in run("{% set x = 3 %}{% for a in var:list %}{% set x = x * x * x * x * x * x * x * x * x %}{% endfor %}{{x * x}}")
    assert run("{{var:huge}}") == "1e+30"


@pytest.mark.parametrize("source", [
    "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}", "{{" + "not " * 2000 + "1}}", "{{" + "-" * 3000 + "1}}", "{{" + "Upper(" * 1500 + "1}}",
    "{% if 1 %}" * 3000 + "{% endif %}" * 3000, "{{1" + "+1" * 6000 + "}}", "x" * 1_000_001, "{{" + "9" * 400 + "}}",
], ids=range(8))  # fmt: skip
def test_no_source_exhausts_the_stack(source: str) -> None:
    assert run(source).startswith("! not valid template")


def test_what_is_allowed_really_runs() -> None:
    assert run("{{" + "(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH + "}}") == "1"
    assert run("{{1" + "+1" * 900 + "}}") == "901"
    assert run("{% if 1 %}" * MAX_NESTED + "x" + "{% endif %}" * MAX_NESTED) == "x"
    one = Facts({"one": [1]})
    deep = compile_template("{% for x in var:one %}" * MAX_NESTED + "{{" + "(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH + "}}" + "{% endfor %}" * MAX_NESTED)
    assert render(deep, one).text == "1"


@pytest.mark.parametrize("source", [
    ("{{1}}" + "x" * 45) * 20_000, "{{1}}" * 50_000, '{{ "' * 20_000, "{{ " * 30_000, "{% " * 30_000, "{{ '%} " * 20_000, "{{ var:a" + ".a" * 4000 + " }}",
    "{{" + '"\\' * 4000,
], ids=range(8))  # fmt: skip
def test_hostile_sources_are_read_in_linear_time(source: str) -> None:
    before = time.process_time()
    run(source)
    assert time.process_time() - before < 10


TOKENS = st.sampled_from(["{{", "}}", "{%", "%}", "if", "endif", "for", "in", "set", "else", "endfor", "var:name", "var:list", "x", "(", ")", "+", "-", "=",
                          " ", '"', "'", "1", "2.5", "not", "Round", "Upper", ",", "\n", "mod", "é", "\\", ".", ":", "\0"])  # fmt: skip


@given(st.lists(TOKENS, max_size=40).map("".join))
def test_any_source_gives_a_text_or_an_error(source: str) -> None:
    for is_lenient in (False, True):
        compiled = Library().get(source)
        if isinstance(compiled, TemplateError):
            assert compiled.is_syntax
            assert compiled.place.line >= 1
        else:
            assert isinstance(render(compiled, FACTS, is_lenient=is_lenient).text, str)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v),
                    max_leaves=8))  # fmt: skip
def test_any_value_is_printed_or_refused(value: object) -> None:
    for source in ("{{var:x}}", "{{var:x:1}}",
                   "{{Upper(var:x)}}", "{{var:x+1}}", "{{Int(var:x)}}", "{{var:x = var:x}}", "{% for y in var:x %}{{y}}{% endfor %}",
                   "{{Round(var:x, 2)}}", "{{var:x mod 3}}", "{{FormatNumberLocale(var:x, 2)}}", "{{var:x div 7}}", "{{-var:x}}"):  # fmt: skip
        rendered = render(compile_template(source), Facts({"x": value}))  # type: ignore[dict-item]
        assert isinstance(rendered.text, str)


@pytest.mark.parametrize(("source", "filled"), [
    ("Hi [[var:name]] [[var:o.a.b]] [[data:city]]", "Hi Zoë deep Lyon"),
    ('[[var:x:"you"]] [[data:x:"there"]] [[var:x]] [[var:x:&quot;q&quot;]] [[var:x:bare]] [[var:name:"you"]]', "you there  q bare Zoë"),
    ("[[UNSUB_LINK_EN]] [[EMAIL_TO]] [[var:]] [[var:a b]] {{var:name}}", "[[UNSUB_LINK_EN]] [[EMAIL_TO]] [[var:]] [[var:a b]] {{var:name}}"),
])  # fmt: skip
def test_the_older_tags(source: str, filled: str) -> None:
    assert fill_legacy(source, FACTS.var, FACTS.data) == filled


def test_what_a_template_writes_is_limited_outside_of_tags_too() -> None:
    compiled = compile_template("{% for i in var:long %}" + "x" * 1000 + "{% endfor %}")
    error = render(compiled, Facts({"long": list(range(5000))})).error
    assert error is not None and "2000000 characters" in error.text


def test_what_was_told_of_a_person_is_told_apart() -> None:
    source = 'a{{data:x}}{{data:y:"d"}}{{Upper(data:x)}}{{var:v}}{{mj:contact.name}}{{mj:sender.name}}[[data:x]][[data:y:"d"]][[var:v]]{{mj:unsub_link_fr}}'
    compiled = compile_template(source, has_legacy=True)
    run = run_through(compiled, Facts({"v": "v"}, {"x": "x", "z": "[[data:x]]"}, {"contact": {"name": "n"}, "sender": {"name": "s"}}))
    assert [(str(piece), type(piece)) for piece in run.out] == [
        ("a", str), ("x", Told), ("d", Printed), ("X", Printed), ("v", Printed), ("n", Told), ("s", Printed), ("x", Told), ("d", Printed), ("v", Printed),
        ("[[UNSUB_LINK_FR]]", str),
    ]  # fmt: skip


def test_a_template_is_compiled_once() -> None:
    library = Library(max_held=2000)
    first = library.get("{{var:name}}")
    assert library.get("{{var:name}}") is first
    assert isinstance(library.get("{{"), TemplateError)
    library.get("x" * 900)
    assert library.get("{{var:name}}") is not first, "what is held is limited"
    assert not isinstance(library.get("y" * 5000), TemplateError), "what does not fit is compiled all the same"
