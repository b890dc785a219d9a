"""The data in rules/bounces.toml: every rule finds its own example, alone and in a mail, and none of its expressions can run away."""

import re
from typing import Any

import pytest

from estafette.mail.reply_rules import RELATED_TO
from estafette.mail.report_kinds import find_sign
from estafette.mail.report_reasons import find_sentence
from estafette.mail.report_returned import cut_returned
from estafette.mail.report_text import fold, fold_pattern
from estafette.mail.text_patterns import any_of, needle_of, top_level
from estafette.rules import load
from tests.mail.test_reply_rules import unbounded

RULES: list[tuple[str, dict[str, Any]]] = [(table, rule) for table, rules in load("bounces").items() for rule in rules]
NAMES = [f"{table}.{rule['name']}" for table, rule in RULES]


@pytest.mark.parametrize(("table", "rule"), RULES, ids=NAMES)
def test_every_rule_finds_its_example(table: str, rule: dict[str, Any]) -> None:
    assert any_of(fold_pattern(text) for text in rule["text"]).search(fold(rule["example"])) is not None


@pytest.mark.parametrize(("table", "rule"), RULES, ids=NAMES)
def test_every_rule_is_documented_and_harmless(table: str, rule: dict[str, Any]) -> None:
    assert set(rule) == {"name", "source", "example", "text"} | ({"error"} if table == "reason" else set())
    assert rule["source"] and rule["example"] and re.fullmatch(r"[a-z0-9_]+", rule["name"])
    for expression in rule["text"]:
        assert unbounded(expression) == [], expression
        assert not re.search(r"(?<!\\)[A-Z]", expression), f"an expression is tried on lower case: {expression}"
        assert not re.search(r"\\[A-Z]", expression), expression
        assert any_of([fold_pattern(expression)]).search("") is None, f"matches everything: {expression}"
    if table == "reason":
        assert rule["error"] in RELATED_TO


def test_names_are_unique_in_their_table() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("rule", load("bounces")["reason"], ids=lambda rule: rule["name"])
def test_the_example_of_a_reason_has_that_error(rule: dict[str, Any]) -> None:
    assert find_sentence(fold(rule["example"])) == (rule["error"], f"reason.{rule['name']}")


@pytest.mark.parametrize("table", ["daemon", "bounce_subject", "delay_subject", "failure", "delay", "gave_up", "expired", "auto_reply_header", "complaint"])
def test_the_example_of_a_sign_is_found_in_its_table(table: str) -> None:
    for rule in load("bounces")[table]:
        assert find_sign(table, fold(rule["example"])) != ""


@pytest.mark.parametrize("rule", load("bounces")["returned"], ids=lambda rule: rule["name"])
def test_the_returned_mail_begins_after_its_announcement(rule: dict[str, Any]) -> None:
    notice, header = cut_returned(["it failed", rule["example"], "Message-ID: <a@b.example>", "From: c@d.example", "", "hello"])
    assert notice == ["it failed"]
    assert header == {"message-id": ("<a@b.example>",), "from": ("c@d.example",)}


@pytest.mark.parametrize("line", [
    "Message not delivered to the following addresses:", "--- The following addresses had permanent fatal errors ---", "Your message",
    "The message could not be sent.",
    "<jo@example.org>: 550 original message refused", "   ----- Transcript of session follows -----", "Original envelope: x", "Unsent",
])  # fmt: skip
def test_what_is_no_announcement_ends_nothing(line: str) -> None:
    assert cut_returned([line, "more"])[0] == [line, "more"]


# --- the prefilter ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("expression", "needle"), [
    ("spamhaus", "spamhaus"), ("user unknown", "user unknown"), ("gr[ae]y ?-?list", "list"), (r"\bspf\b", "spf"), ("a{2}bcd", "bcd"), ("abcd?e", "abc"),
    ("(?:unknown|bad) user", " user"), ("(?:x)?", ""), (r"\d{3} abc", " abc"), ("abc+def", "abc"), ("[xyz]", ""), ("ab", ""),
    (r"mail\.example", "mail.example"),
    ("[]a]bcd", "bcd"), ("[^]a]bcd", "bcd"), ("(a|b)", ""), ("x(?=y)abc", "abc"), ("abc(?!def)", "abc"), ("abc*", ""), (r"\(spam\)", "(spam)"),
])  # fmt: skip
def test_needles(expression: str, needle: str) -> None:
    assert needle_of(expression) == needle


def test_alternatives_are_cut_at_the_top_only() -> None:
    assert top_level("a|b(c|d)|[|]|e\\|f") == ["a", "b(c|d)", "[|]", "e\\|f"]


def test_the_prefilter_changes_no_answer() -> None:
    texts = [fold(rule["example"]) for _table, rule in RULES] + ["user unknown", "x", "", "mailbox full over quota", "550 5.7.1 blocked by spamhaus dnsbl"]
    for rules in [*load("bounces").values(), load("replies")["reply"]]:
        for rule in rules:
            for key in ("text", "unless"):
                if rule.get(key):
                    whole = re.compile("|".join(fold_pattern(text) for text in rule[key]))
                    patterns = any_of(fold_pattern(text) for text in rule[key])
                    assert [bool(whole.search(text)) for text in texts] == [patterns.search(text) is not None for text in texts], rule["name"]
