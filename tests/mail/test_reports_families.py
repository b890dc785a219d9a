"""Whole mails in the forms of the world's mail systems (report_mails.txt): what each says, and that people, answering machines and receipts are no bounces."""

import re
from pathlib import Path

import pytest

from estafette.mail.reports import read_report

BLOCKS = re.findall(r"^=== (\S+) \| (.+)\n((?:(?!===).*\n)+)", Path(__file__).with_name("report_mails.txt").read_text("utf-8"), re.M)
SAYS = {"failed": ("permanent", True), "delayed": ("permanent", False), "gone": ("hard", True), "there": ("hard", False)}


def test_all_blocks_are_read() -> None:
    assert len({name for name, _, _ in BLOCKS}) == len(BLOCKS) >= 80


@pytest.mark.parametrize(("what", "mail"), [block[1:] for block in BLOCKS], ids=[block[0] for block in BLOCKS])
def test_a_mail_is_understood(what: str, mail: str) -> None:
    kind, *words = what.split()
    report = read_report(mail.encode())
    assert (report.is_bounce, report.is_autoreply, report.is_complaint) == (kind == "bounce", kind == "auto", kind == "complaint"), report.rule
    recipients = {word for word in words if "@" in word and word[0] != "<"}
    assert not recipients or set(report.recipients) == recipients
    for word in words:
        if word in SAYS:
            assert getattr(report, SAYS[word][0]) is SAYS[word][1], report.rule
        elif word[0] == "<":
            assert report.original_message_id == word[1:-1]
        elif "@" not in word:
            assert report.category == word, report.rule
