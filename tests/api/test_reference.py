"""docs/reference/http-api.md tells of every route, every error code and every property."""

import ast
import re
from pathlib import Path

import pytest

from estafette.api.app import make_app
from tests.api.conftest import Api

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "http-api.md").read_text("utf-8")
SOURCES = sorted((ROOT / "src" / "estafette" / "api").glob("*.py"))
STRINGS = {n.value for p in SOURCES for n in ast.walk(ast.parse(p.read_text("utf-8"))) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def test_every_route_has_its_chapter(api: Api) -> None:
    app = make_app(api.store, api.keeper, api.door, api.clock, public_url="http://x", max_body_bytes=1, is_closing=lambda: False)
    routes = [(method, route.path) for route in app.routes for method in sorted(route.methods - {"HEAD"})]  # type: ignore[attr-defined]
    assert len(routes) >= 6
    chapters = re.findall(r"^## (.+)$", PAGE, re.M)
    missing = [f"{method} {path}" for method, path in routes if not any(path in c.split() and method in c.replace(",", " ").split() for c in chapters)]
    assert missing == []


def test_every_code_stands_in_the_page() -> None:
    codes = {text for text in STRINGS if re.fullmatch(r"(mj|send)-\d{4}", text)}
    assert len(codes) >= 18
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


@pytest.mark.parametrize("name", [
    "Messages", "Globals", "SandboxMode", "AdvanceErrorHandling", "From", "Sender", "To", "Cc", "Bcc", "ReplyTo", "TextPart", "HTMLPart",
    "TemplateID", "TemplateLanguage", "TemplateErrorReporting", "TemplateErrorDeliver", "Attachments", "InlinedAttachments", "Priority", "CustomCampaign",
    "DeduplicateCampaign", "TrackOpens", "TrackClicks", "EventPayload", "MonitoringCategory", "URLTags", "Headers", "Variables", "Idempotency-Key",
    "Retry-After",
])  # fmt: skip
def test_every_name_stands_in_the_page(name: str) -> None:
    assert re.search(rf"`{name}`", PAGE)
