"""`bounce explain` and `reply explain`: words for people, JSON for programs, one answer per line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from estafette.cli.root import root
from tests.mail.test_reports import ARF, DSN, mail

KEYS = {"file", "is_bounce", "recipients", "permanent", "hard", "category", "related_to", "is_complaint", "is_autoreply", "original_message_id"}


@pytest.fixture
def returned(tmp_path: Path) -> Path:
    path = tmp_path / "returned.eml"
    path.write_bytes(mail(DSN))
    return path


def test_words_for_people(returned: Path) -> None:
    result = CliRunner().invoke(root, ["bounce", "explain", str(returned)])
    assert result.exit_code == 0, result.output
    for said in ("failure report", "jo@example.org", "gone (hard)", "user unknown", "one@example.com", "delivery_status, user_unknown"):
        assert said in result.stdout


def test_json(returned: Path, tmp_path: Path) -> None:
    complaint = tmp_path / "complaint.eml"
    complaint.write_bytes(mail(ARF.replace("KIND", "abuse")))
    result = CliRunner().invoke(root, ["bounce", "explain", "--json", str(returned), str(complaint)])
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert set(first) >= KEYS
    assert (first["is_bounce"], first["recipients"], first["permanent"], first["hard"], first["category"]) == (
        True,
        ["jo@example.org"],
        True,
        True,
        "user_unknown",
    )
    assert (second["is_complaint"], second["is_bounce"], second["category"], second["permanent"]) == (True, False, "complaint", None)


def test_standard_input_is_a_mail() -> None:
    result = CliRunner().invoke(root, ["bounce", "explain", "--json", "-"], input=mail(DSN))
    assert json.loads(result.stdout)["category"] == "user_unknown"


def test_a_file_that_is_not_there(tmp_path: Path, returned: Path) -> None:
    result = CliRunner().invoke(root, ["bounce", "explain", str(tmp_path / "none.eml"), str(returned)])
    assert result.exit_code == 1 and "No such file" in result.stdout and "gone (hard)" in result.stdout
    assert CliRunner().invoke(root, ["bounce", "explain"]).exit_code == 1
    assert CliRunner().invoke(root, ["reply", "explain"]).exit_code == 1


def test_json_lines_answer_each_path_before_the_next_is_asked(returned: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "estafette", "bounce", "explain", "--json-lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        for path in (str(returned), "/nowhere/none.eml", str(returned)):
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["file"] == path
            assert ("problem" in answer) == (path != str(returned))
        process.stdin.close()
        assert process.stdout.read() == "" and process.wait(20) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait(20)


def test_replies() -> None:
    result = CliRunner().invoke(root, ["reply", "explain", "550 5.1.1 User unknown", "--json"])
    assert json.loads(result.stdout) == {
        "reply": "550 5.1.1 User unknown", "category": "user_unknown", "related_to": "recipient", "permanent": True,
        "error": "user unknown",
        "rule": "user_unknown",
    }  # fmt: skip
    shown = CliRunner().invoke(root, ["reply", "explain", "452 4.2.2 Mailbox full"]).stdout
    assert "quota exceeded" in shown and "decided by" in shown


def test_replies_line_by_line() -> None:
    lines = [json.dumps("550 5.7.1 Relaying denied"), json.dumps("451 Greylisted, try again"), "421 no JSON: too many connections", json.dumps(["x"])]
    result = CliRunner().invoke(root, ["reply", "explain", "--json-lines"], input="\n".join(lines) + "\n")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["category"] for answer in answers[:3]] == ["relay_access_denied", "greylisted", "policy_issue"]
    assert [answer["permanent"] for answer in answers[:3]] == [True, False, False]
    assert len(answers) == 4
