"""Clients of other languages, unmodified: node-mailjet and nodemailer (npm), Symfony's Mailjet bridge (Debian)."""

import email
import email.policy
import json
import subprocess
from typing import Any

from tests.clients.conftest import Ground


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_node_mailjet(ground: Ground) -> None:
    answer = told(ground.node("send.js"))
    assert (answer["status"], answer["custom"]) == ("success", "node")
    assert answer["read"][0]["ID"] == answer["id"], "ids stay below 2^53: JavaScript reads them exactly"
    assert [row["Email"] for row in answer["older"]] == ["node-old@dest.example"]
    bad, unknown = answer["errors"]
    assert bad["status"] == 400
    assert (unknown["status"], bool(unknown["identifier"])) == (401, True)
    assert "API key authentication/authorization failure" in unknown["message"]
    new, _ = ground.mails_to("node-a@dest.example", "node-old@dest.example")
    assert b"<b>Hi 7</b>" in new.content


def test_nodemailer(ground: Ground) -> None:
    answer = told(ground.node("smtp.js"))
    assert answer["accepted"] == ["mailer-a@dest.example", "mailer-b@dest.example"]
    assert "queued as" in answer["response"]
    first, _ = ground.mails_to("mailer-a@dest.example", "mailer-b@dest.example")
    read = email.message_from_bytes(first.content, policy=email.policy.default)
    assert read["Subject"] == "Été 7"
    assert [part.get_content().strip() for part in read.walk() if not part.is_multipart()] == ["Hi 7 é", "<b>Hi 7 é</b>", "attached"]  # type: ignore[attr-defined]
    assert b"X-MJ" not in first.content
    (message, _) = sorted((m for m in ground.platform.messages() if m["to"].startswith("mailer-")), key=lambda m: m["to"])
    assert message["state"] == "delivered"


def test_symfony(ground: Ground) -> None:
    sent, foreign, unknown = told(ground.php("send.php", AUTHORITY=ground.authority_file))
    assert sent == "sent"
    assert 'is not an authorized sender email address for your account." (code 403)' in foreign
    assert "API key authentication/authorization failure" in unknown
    first, _ = ground.mails_to("php-a@dest.example", "php-b@dest.example")
    read = email.message_from_bytes(first.content, policy=email.policy.default)
    assert (read["Subject"], read["Reply-To"]) == ("Été", "re@sender.example")
    assert {part.get_filename() for part in read.walk()} >= {"a.txt"}
