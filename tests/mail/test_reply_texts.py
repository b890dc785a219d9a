"""Replies of providers all over the world, in a dozen languages: each is understood."""

from pathlib import Path

import pytest

from estafette.mail.reply_rules import classify_line

LINES = [line.split("\t") for line in Path(__file__).with_name("reply_texts.txt").read_text("utf-8").splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(("right", "text"), LINES, ids=lambda value: value[:60])
def test_a_reply_is_understood(right: str, text: str) -> None:
    verdict = classify_line(text)
    assert verdict.error.replace("/", "_").replace(" ", "_") in {name.strip() for name in right.split("|")}, verdict.rule


def test_nobody_is_blocked_for_what_is_said_of_us() -> None:
    blocking = [text for right, text in LINES if "sender_blocked" in right and classify_line(text).blocks_address]
    assert blocking == []
