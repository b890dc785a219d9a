"""The notices of many mail systems by their shape (report_shapes.txt): recipients, reason, permanence of each."""

import re
from pathlib import Path

import pytest

from estafette.mail.reports import read_report

SHAPES = (Path(__file__).parent / "report_shapes.txt").read_text("utf-8")
BLOCKS = re.findall(r"^=== (\S+) \| (\S+) \| (\S)\n(.*)\n\n((?:(?!===).*\n)+)", SHAPES, re.M)


def test_all_shapes_are_read() -> None:
    assert len(BLOCKS) == SHAPES.count("\n=== ") >= 60


@pytest.mark.parametrize(("name", "category", "flag", "subject", "notice"), BLOCKS, ids=[block[0] for block in BLOCKS])
def test_shapes(name: str, category: str, flag: str, subject: str, notice: str) -> None:
    raw = f"From: Mail Delivery System <mailer-daemon@mx.example.net>\nTo: b-token@bounces.example.com\nSubject: {subject}\n\n{notice}"
    report = read_report(raw.encode())
    assert report.is_bounce and not report.is_autoreply and not report.is_complaint, report.rule
    assert report.recipients == tuple(dict.fromkeys(re.findall(r"[a-z]+@example\.org", notice))), report.rule
    assert report.category in category.split("|"), report
    assert report.permanent == (flag != "D"), report
    if flag != "-":
        assert report.hard == {"H": True, "S": False, "N": None, "D": False}[flag], report
