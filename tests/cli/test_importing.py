"""`estafette import`, `export` and `job`: people come in with their mistakes told, and go out again."""

from pathlib import Path

import pytest

from estafette.audience import ContactJob, JobOrders
from estafette.store.database import Database
from tests.cli.test_commands import Shell
from tests.newsletters.test_sheets import workbook


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    made("account", "add", "shop")
    return made


def written(shell: Shell, name: str, content: bytes) -> str:
    path = shell.folder / name
    path.write_bytes(content)
    return str(path)


def test_a_file_with_mistakes_is_looked_through_and_imported(shell: Shell) -> None:
    file = written(shell, "people.csv", b'email;First name;note\na@x.test;=1+1;n\nb@x.test;"Bo;b";\nnobody;x;\na@x.test;Al;\n')
    words = ("import", file, "--list", "News", "--map", "First name=nick", "--map", "note=")
    (seen,) = shell.json(*words, "--create", "--dry-run")
    assert {name: seen[name] for name in ("rows", "new", "known", "repeated", "errors")} == {"rows": 4, "new": 2, "known": 0, "repeated": 1, "errors": 1}
    assert [(one["property"], one["new"]) for one in seen["columns"]] == [("email", False), ("nick", True), ("", False)]
    shell(*words, code=3)
    (done,) = shell.json(*words, "--create")
    assert (done["status"], done["done"], done["errors"]) == ("completed", 4, 1)
    assert "nobody" in shell("job", "errors", str(done["id"])).stdout
    assert "(left out)" in shell(*words, "--dry-run").stdout
    (again,) = shell.json(*words, "--dry-run")
    assert (again["new"], again["known"]) == (0, 2)
    assert shell("export", "--list", "News").stdout == "email,name,excluded,nick\na@x.test,,false,Al\nb@x.test,,false,Bo;b\n"
    kept = written(shell, "new.xlsx", workbook(["mail", "nick"], ["a@x.test", "Other"], ["c@x.test", "-2"]))
    shell("import", kept, "--list", "News", "--keep-known")
    assert [row["properties"]["nick"] for row in shell.json("export")] == ["Al", "Bo;b", "-2"]
    assert "'-2" in shell("export").stdout
    assert "--statement" in shell("import", file, "--list", "News", "--action", "addforce", code=2).stderr
    shell("import", file, "--list", "News", "--map", "note=", "--action", "addforce", "--statement", "asked for it by letter", "--keep-known")
    told = shell.json("contact", "show", "c@x.test")[0]
    assert [(act["act"], act["source"], act["evidence"], act["words"]) for act in told["consent"]] == [("subscribed", "import", "job 2", "")]
    shell("contact", "show", "c@x.test")
    shell.json("contact", "erase", "c@x.test", "--yes")
    shell("contact", "show", "c@x.test", code=3)
    assert [row["status"] for row in shell.json("job", "list")] == ["completed"] * 3


def test_a_job_waits_goes_on_and_ends(shell: Shell) -> None:
    async def with_job(store: Database) -> None:
        account = await store.account("shop")
        assert account is not None
        await store.contact_jobs.create(ContactJob(0, account.id, "csv", JobOrders()), 1, b"email\na@x.test\n")

    shell.seed(with_job)
    assert [row["status"] for word in ("pause", "resume", "pause", "cancel") for row in shell.json("job", word, "1")] == [
        "paused", "waiting", "paused", "aborted"]  # fmt: skip
    shell("job", "resume", "1", code=1)
    shell("job", "pause", "7", code=3)
    broken = written(shell, "broken.xlsx", b"PK\x03\x04")
    assert "cannot be read" in shell("import", broken, code=1).stderr
    shell("import", broken, "--separator", "x", code=2)
