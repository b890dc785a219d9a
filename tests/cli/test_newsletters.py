"""`estafette newsletter`, `contact` and `segment` over a real store."""

from pathlib import Path

import msgspec
import pytest

from estafette.audience import ContactChange, ListAction, PropertyKind, Segment, Trace
from estafette.nouns import Newsletter
from estafette.prepare.personal import Source
from estafette.store.database import Database
from tests.cli.test_commands import NOW, Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made("account", "add", "shop")
    made("domain", "add", "shop.example", "--verified")
    made.seed(people)
    return made


async def people(store: Database) -> None:
    account = await store.account("shop")
    assert account is not None
    made = await store.contacts.create_list(account.id, "News", "abc", NOW)
    city = await store.contacts.add_property(account.id, "city", PropertyKind.STR, NOW)
    assert made is not None and city is not None
    changes = [ContactChange(f"p{n}@dest.example", f"p{n}@dest.example", properties={city.id: f"c{n}"}) for n in range(3)]
    await store.contacts.apply(account.id, changes, {made.id: ListAction.ADD_FORCE}, Trace("form", "192.0.2.1"), NOW)
    await store.contacts.create_segment(Segment(0, account.id, "In c1", '(city="c1")'), NOW)
    for source in (Source(author="news@shop.example", subject="Hello", html="<p>Hi</p>"), Source(author="news@shop.example", subject="Empty")):
        await store.newsletters.create(Newsletter(0, account.id, source.subject, letter=msgspec.json.encode(source).decode(), list_id=made.id), NOW)


def test_a_newsletter_is_looked_at_sent_and_called_back(shell: Shell) -> None:
    assert [(row["id"], row["state"]) for row in shell.json("newsletter", "list")] == [(2, "draft"), (1, "draft")]
    assert shell.json("newsletter", "show", "1")[0]["html"] == "<p>Hi</p>"
    shell("newsletter", "show", "7", code=3)
    assert "unsubscribe_inserted" in [row["code"] for row in shell.json("newsletter", "check", "1")]
    assert shell.json("newsletter", "check", "2", code=1)[0] == {"weight": "stops", "code": "texts_missing"}
    assert shell.json("newsletter", "forecast", "1")[0]["domains"] == [{"domain": "dest.example", "going": 3, "blocked": 0}]
    assert "dest.example" in shell("newsletter", "forecast", "1").stdout
    assert "texts_missing" in shell("newsletter", "send", "2", code=1).stderr
    assert shell.json("newsletter", "send", "1")[0]["state"] == "scheduled"
    assert "only a newsletter that is being sent can be paused" in shell("newsletter", "pause", "1", code=1).stderr
    shell("newsletter", "resume", "1", code=1)
    assert shell.json("newsletter", "cancel", "1")[0]["state"] == "draft"
    assert "there is no draft 99" in shell("newsletter", "delete", "99", code=3).stderr
    assert shell.json("newsletter", "schedule", "1", "2090-01-02T03:04")[0]["start_at"] == "2090-01-02T03:04:00.000Z"
    for wrong in ("2001-01-01", "soon"):
        shell("newsletter", "schedule", "1", wrong, code=2)
    shell("newsletter", "cancel", "1")
    assert "draft" in shell("newsletter", "status", "1", "--watch").stdout


def test_a_person_is_shown_judged_and_forgotten(shell: Shell) -> None:
    (shown,) = shell.json("contact", "show", "P1@dest.example")
    assert shown["properties"] == {"city": "c1"} and shown["lists"][0]["evidence"] == "192.0.2.1"
    assert "News" in shell("contact", "show", "p1@dest.example").stdout
    assert [row["name"] for row in shell.json("segment", "list")] == ["In c1"]
    assert shell.json("segment", "test", "1", "p1@dest.example")[0]["in"] is True
    assert shell.json("segment", "test", "1", "p2@dest.example", code=1)[0]["properties"] == {"city": "c2"}
    shell("segment", "test", "9", "p1@dest.example", code=3)
    shell("contact", "show", "nobody", code=2)
    shell("contact", "erase", "p1@dest.example", "--yes")
    shell("contact", "show", "p1@dest.example", code=3)
    log = shell("audit", "log").stdout
    assert "contact erase" in log and "p1@dest.example" not in log


def test_a_newsletter_is_written(shell: Shell) -> None:
    words = ("newsletter", "create", "Autumn", "--list", "News", "--subject", "Autumn")
    (made,) = shell.json(*words, "--from", "Shop <news@shop.example>", "--rate", "3600")
    shell(*words, "--from", "nobody", code=2)
    for name, text, part in (("a.md", "# Hi {{data:city:'you'}}", "<h1>Hi {{data:city:'you'}}</h1>"),
                             ("a.html", "<style>p{color:red}</style><p>x</p>", "color: "),
                             ("a.mjml", "<mjml><mj-body><mj-text>Ho</mj-text></mj-body></mjml>", "Ho")):  # fmt: skip
        (shell.folder / name).write_text(text)
        shell("newsletter", "write", str(made["id"]), "--file", str(shell.folder / name), "--inline-styles")
        assert part in shell.json("newsletter", "show", str(made["id"]))[0]["html"]
    (shell.folder / "b.txt").write_text("Plain")
    shell("newsletter", "write", str(made["id"]), "--file", str(shell.folder / "b.txt"))
    assert shell.json("newsletter", "show", str(made["id"]))[0]["text"] == "Plain"
    (shell.folder / "b.mjml").write_text("<mjml>")
    shell("newsletter", "write", str(made["id"]), "--file", str(shell.folder / "b.mjml"), code=1)
    assert "not allowed" in shell("newsletter", "write", str(made["id"]), "--url", "http://127.0.0.1:9/", code=1).stderr
    shell("newsletter", "write", str(made["id"]), code=2)
    shell("newsletter", "send", str(made["id"]))
    shell("newsletter", "write", str(made["id"]), "--file", str(shell.folder / "a.md"), code=1)
