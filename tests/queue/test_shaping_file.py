"""What a shaping file may say, and how everything that is wrong with one is told at once."""

import datetime
import math
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.queue import shaping_file
from estafette.queue.rate import NO_LIMIT
from estafette.queue.shaping import limits_for
from estafette.queue.shaping_file import Loaded, read, reload, shipped
from estafette.queue.shaping_keys import lines_of, read_count, read_rate
from estafette.rules import load
from estafette.settings import ConfigError

GOOMX = ["gmail-smtp-in.l.google.com"]
FULL = """
[default]
connections = 10
message_rate = "none"

[default.source."192.0.2.9"]
message_rate = "1/s"

[provider.google]
connections = 4
connection_rate = "100/min"
total_message_rate = "20/s"

[provider.homemade]
mx = ["mx.homemade.example"]
burst = 5

[site."big.example"]
messages_per_connection = 7

[limit.newsletters]
sources = ["192.0.2.9"]
domains = ["example.org"]
message_rate = "1000/h"
per = "source"

[pool.default]
sources = ["0.0.0.0"]

[pool.bulk]
sources = { "192.0.2.1" = 3, "192.0.2.9" = 1 }
campaigns = ["news-*"]

[warmup."192.0.2.9"]
started = 2026-11-01
growth = 1.5

[warmup."192.0.2.9".provider.google]
first_day = 20

[[rule]]
name = "qq_frequency"
off = true

[[rule]]
name = "homemade"
providers = ["homemade"]
codes = ["421"]
after = "5/10min"
connections = 1
for = "30m"
"""


def test_everything_that_can_be_said_is_understood() -> None:
    table = read(FULL, "f.toml", shipped())
    google = limits_for(GOOMX, "gmail.com", table)
    assert (google.limits.connections, google.limits.connections_per_s, google.limits.messages_per_connection) == (4, pytest.approx(100 / 60), 50)
    assert google.origins[0].where == "f.toml:10"
    assert google.origins[2].where == "shipped"
    assert [(n.name, n.messages_per_s, n.is_per_source) for n in google.named] == [("provider google", 20.0, True)]
    cold = limits_for(["mx.homemade.example"], "x.example.org", table, "192.0.2.9")
    assert (cold.provider, cold.limits.messages_per_s, cold.limits.burst, cold.limits.connections) == ("homemade", 1.0, 5, 10)
    assert [n.name for n in cold.named] == ["newsletters"]
    assert limits_for(["mx1.big.example"], "x", table).limits.messages_per_connection == 7
    pools = {pool.name: [(s.address, s.weight) for s in pool.sources] for pool in table.pools}
    assert pools == {"default": [("", 1.0)], "bulk": [("192.0.2.1", 3.0), ("192.0.2.9", 1.0)]}
    plan = table.warmups[0]
    assert (plan.started, plan.ramp.growth, plan.ramp.first_day, plan.ramp_for("google").first_day, plan.ramp_for("google").growth) == (
        datetime.date(2026, 11, 1), 1.5, 50, 20, 1.5)  # fmt: skip
    rules = {rule.name: rule for rule in table.reactions}
    assert "qq_frequency" not in rules and "yahoo_complaints" in rules
    assert (rules["homemade"].count, rules["homemade"].within_s, rules["homemade"].for_s, rules["homemade"].lower) == (5, 600.0, 1800.0, (("connections", 1),))


def test_the_shipped_table_is_sound_and_every_rule_speaks_of_a_known_provider() -> None:
    table = shipped()
    assert len(table.providers) >= 22
    assert all(rule.providers and rule.for_s > 0 and (rule.suspend or rule.lower) for rule in table.reactions)
    assert {limit.name for limit in table.named} == {"provider microsoft", "provider icloud", "provider comcast", "provider barracuda"}


@pytest.mark.parametrize("name", sorted(load("shaping")["provider"]))
def test_every_shipped_figure_says_where_it_is_from(name: str) -> None:
    text = files("estafette.rules").joinpath("shaping.toml").read_text("utf-8")
    section = text.split(f"[provider.{name}]")[1].split("\n[")[0]
    given_ = ("connections", "messages_per_connection", "total_connections", "message_rate", "connection_rate")
    figures = [line for line in section.splitlines() if line.startswith(given_)]
    assert all("# [K]" in line or "# [P]" in line or "# published" in line for line in figures)
    assert figures or "no published figure" in section


PROBLEMS = [
    ("[defualt]\na = 1", 1, "defualt: unknown section; did you mean default?"),
    ("[default]\n\nconection = 1", 3, "default.conection: unknown key; did you mean connections?"),
    ("[default]\nconnections = 0", 2, "default.connections: must be between 1 and 1000, not 0"),
    ("[default]\nconnections = true", 2, "default.connections: must be a whole number, not true"),
    ('[default]\nburst = "default"', 2, "default.burst: cannot be"),
    ('[default]\nmessage_rate = "10/week"', 2, "default.message_rate: must be a rate such as"),
    ("[default]\nmessage_rate = 10", 2, "default.message_rate: must be a rate such as"),
    ("default = 3", 1, "default: is a section, to be written [default]"),
    ("[provider.gogle]\nconnections = 1", 1, "provider.gogle: a new provider needs mx = [...], the names its MX hosts end in; did you mean google?"),
    ('[provider.x]\nmx = []', 2, "provider.x.mx: must have at least one entry"),
    ('[provider.x]\nmx = "a.example"', 2, 'provider.x.mx: must be a list in brackets, not "a.example"'),
    ('[provider.x]\nmx = ["yahoodns.net"]', 2, "provider.x.mx: yahoodns.net is a host of provider yahoo already"),
    ('[provider.yahoo]\ntotal_connections = "many"', 2, "provider.yahoo.total_connections: must be a whole number"),
    ('[provider.yahoo.source."1.2.3"]\nconnections = 1', 1, 'provider.yahoo.source."1.2.3": must be an IP address'),
    ('[site."a.example"]\ntotal_connections = 2', 2, 'site."a.example".total_connections: unknown key'),
    ('[limit.x]\nmessage_rate = "1/s"', 1, "limit.x: says not for what"),
    ('[limit.x]\nmx = ["a.example"]', 1, "limit.x: limits nothing"),
    ('[limit.x]\ndomains = ["a.example"]\nconnections = 2', 3, "limit.x.connections: a connection serves many domains"),
    ('[pool.x]\nsources = ["192.0.2.1"]', 1, "pool.x: is used by nothing"),
    ('[pool.default]\nsources = ["192.0.2.1", "192.0.2.1"]', 2, "pool.default.sources: must name at least one source, and each once"),
    ('[pool.default]\nsources = { "192.0.2.1" = 0 }', 2, "pool.default.sources: no source has a weight above 0"),
    ('[warmup."192.0.2.1"]\ngrowth = 2', 1, 'warmup."192.0.2.1": needs the day it began'),
    ('[warmup."192.0.2.1"]\nstarted = "2026-11-01"', 2, "started: must be a date such as 2026-11-24, without quotes"),
    ('[warmup."192.0.2.1"]\nstarted = 2026-11-01\ngrowth = 1', 3, "growth: must be between 1.01 and 10"),
    ('[warmup."192.0.2.1"]\nstarted = 2026-11-01\nhold_bounced = 0.5', 1, "hold_bounced is more than stop_bounced"),
    ('[warmup."192.0.2.1"]\nstarted = 2026-11-01\n[warmup."192.0.2.1".provider.yaho]\ngrowth = 2', 3, "there is no provider yaho; did you mean yahoo?"),
    ('[[rule]]\ntext = ["hello"]\nsuspend = "path"\nfor = "1h"', 1, "rule number 1: needs a name"),
    ('[[rule]]\nname = "a"\ntext = ["no"]\nsuspend = "path"\nfor = "1h"', 3, 'rule a.text: "no" is too short'),
    ('[[rule]]\nname = "a"\nsuspend = "path"\nfor = "1h"', 1, "rule a: would hear every failed reply"),
    ('[[rule]]\nname = "a"\ntext = ["hello"]\nfor = "1h"', 1, "rule a: must do one thing"),
    ('[[rule]]\nname = "a"\ntext = ["hello"]\nsuspend = "path"\nconnections = 1\nfor = "1h"', 1, "rule a: must do one thing"),
    ('[[rule]]\nname = "a"\ntext = ["hello"]\nsuspend = "path"', 1, "rule a: needs how long"),
    ('[[rule]]\nname = "a"\ntext = ["hello"]\nmessage_rate = "none"\nfor = "1h"', 1, "rule a: a rule can only lower a limit to a number"),
    ('[[rule]]\nname = "a"\ncodes = ["250"]\nsuspend = "path"\nfor = "1h"', 3, "rule a.codes: must be the beginning of a reply code of failure"),
    ('[[rule]]\nname = "a"\ncategories = ["rate_limitd"]\nsuspend = "path"\nfor = "1h"', 3, "did you mean rate_limited?"),
    ('[[rule]]\nname = "a"\ntext = ["hello"]\nsuspend = "pth"\nfor = "1h"', 4, 'rule a.suspend: "pth" is not known; did you mean path?'),
    ('[[rule]]\nname = "yahoo_complants"\noff = true', 1, "there is no rule yahoo_complants to switch off; did you mean yahoo_complaints?"),
    ('[[rule]]\nname = "a"\ncodes = ["4"]\nsuspend = "path"\nfor = "1h"\n[[rule]]\nname = "a"\noff = true', 7, "there is a rule a in this file already"),
    ("rule = 3", 1, "rule: is a list of tables, each to be written [[rule]]"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "problem"), PROBLEMS, ids=[p for _, _, p in PROBLEMS])
def test_a_problem_names_its_line_and_reason(text: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, "f.toml", shipped())
    assert len(caught.value.problems) == 1, caught.value.problems
    assert caught.value.problems[0].startswith(f"f.toml:{line}: ")
    assert problem in caught.value.problems[0]


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = '[site."a.example"]\nconections = 2\n[[rule]]\nname = "a"\n[default]\nburst = 0\nburts = 1\n[limit.x]\nmessage_rate = "1/s"\n'
    with pytest.raises(ConfigError) as caught:
        read(text, "f.toml", shipped())
    lines = [int(problem.split(":")[1]) for problem in caught.value.problems]
    assert lines == [2, 3, 3, 3, 6, 7, 8], caught.value.problems


def test_text_that_is_no_toml_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"f\.toml: not valid TOML: .*line 2"):
        read("[default]\nconnections = = 1", "f.toml", shipped())


def test_a_wrong_file_leaves_what_held_before() -> None:
    first = reload(Loaded(shipped()), "[default]\nconnections = 3", "f.toml")
    assert limits_for(["mx.a.example"], "a.example", first.table).limits.connections == 3
    second = reload(first, "[default]\nconnections = 3000", "f.toml")
    assert second.table is first.table
    assert second.problems == ("f.toml:2: default.connections: must be between 1 and 1000, not 3000",)
    third = reload(second, first.text, "f.toml")
    assert third.problems == () and third.table == first.table
    assert reload(third, third.text, "f.toml") is third, "the same text is not read again"


def test_what_is_taken_out_of_the_file_holds_no_more() -> None:
    first = reload(Loaded(shipped()), "[provider.google]\nconnections = 3", "f.toml")
    second = reload(first, "", "f.toml")
    assert second.table == shipped()


def test_the_examples_of_the_documentation_are_right() -> None:
    page = Path(__file__).parents[2] / "docs" / "operate" / "shaping.md"
    sections = [part.splitlines() for part in page.read_text("utf-8").split("\n## ")[1:]]
    blocks = [[line[4:] for line in part if line.startswith("    ") and not line.startswith("    estafette ")] for part in sections]
    table = read("\n".join(line for block in blocks for line in block), "shaping.md", shipped())
    assert {pool.name for pool in table.pools} == {"default", "letters"}
    assert table.warmups[0].ramp_for("google").first_day == 20
    assert "example_busy" in {rule.name for rule in table.reactions}


RATES = [("10/s", 10.0), ("100/min", 100 / 60), ("2000/h", 2000 / 3600), ("5 / d", 5 / 86_400), ("0.5/s", 0.5), ("none", NO_LIMIT)]


@pytest.mark.parametrize(("text", "rate"), RATES)
def test_rates(text: str, rate: float) -> None:
    assert read_rate(text) == (pytest.approx(rate) if not math.isinf(rate) else rate)


@pytest.mark.parametrize(("value", "expected"), [(1, (1, 0.0)), ("3/h", (3, 3600.0)), ("5/10min", (5, 600.0)), ("2/d", (2, 86_400.0))])
def test_counts(value: object, expected: tuple[int, float]) -> None:
    assert read_count(value) == expected


@pytest.mark.parametrize("value", ["", "3", "0/h", "3/0h", "x/h", 2, True, None, "3/h/h"])
def test_wrong_counts(value: object) -> None:
    with pytest.raises(ValueError):
        read_count(value)


def test_lines_of_sections_keys_and_rows() -> None:
    lines = lines_of('a = 1\n[x."y.z"]\nk = 1\n[[rule]]\nname = "1"\n# [no]\n[[rule]]\nname = "2"\n[x.q]\nd.e = 2\n')
    assert lines[("a",)] == 1
    assert lines[("x", "y.z")] == 2 and lines[("x", "y.z", "k")] == 3
    assert (lines[("rule", "0")], lines[("rule", "1")], lines[("rule", "1", "name")]) == (4, 7, 8)
    assert lines[("x", "q", "d", "e")] == 10


words = st.sampled_from(["none", "default", "10/s", "path", "1h", "", "x\x00y", "é"])
scalars = st.one_of(st.booleans(), st.integers(-10, 2000), st.floats(), words, st.dates())
keys = st.sampled_from([*"abc", *shaping_file.SECTIONS, *shaping_file.LIMITS, "mx", "source", "sources", "name", "text", "after", "for", "suspend", "started",
                        "192.0.2.1", "google", "total_connections", "off", "providers", "codes"])  # fmt: skip
trees = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=5)), max_leaves=25)


@given(st.dictionaries(keys, trees, max_size=6))
def test_any_tree_is_a_table_or_a_list_of_problems(tree: dict[str, object]) -> None:
    try:
        table = shaping_file._table(tree, {}, "f.toml", shipped())
    except ConfigError:
        return
    assert limits_for(GOOMX, "gmail.com", table, "192.0.2.1").limits.connections >= 1


@given(st.text(max_size=200))
def test_any_text_is_a_table_or_a_list_of_problems(text: str) -> None:
    lines_of(text)
    try:
        tomllib.loads(text)
        read(text, "f.toml", shipped())
    except (ConfigError, tomllib.TOMLDecodeError):
        pass
