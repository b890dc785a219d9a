"""How long a signed copy may be used again."""

import pytest

from estafette.model import Content, Options
from estafette.prepare.plan import FRESH_S, make_plan


@pytest.mark.parametrize(
    ("after_s", "is_fresh"),
    [(0, True), (FRESH_S - 1, True), (FRESH_S, False), (-86_400, False)],  # the clock went back: the signature would be from the future
)
def test_fresh(after_s: int, is_fresh: bool) -> None:
    plan = make_plan(Content(1, 1, "b@a.test", "a@a.test", Options(), 0, False, b"From: a@a.test\r\n\r\nx\r\n"), ())
    plan.made = (1_790_000_000, b"signed")
    assert (plan.fresh(1_790_000_000 + after_s) is not None) is is_fresh
