"""What we make of what others say: `bounce explain` for mail that came back, `reply explain` for SMTP replies. Neither touches configuration or store."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import click

from estafette.cli.ground import PROBLEM, Ground, config_option, fail
from estafette.cli.printing import print_facts, print_json
from estafette.mail.reply_rules import Verdict, classify_line
from estafette.mail.report_parts import MAX_MAIL
from estafette.mail.reports import Report, read_report

_JSON = click.option("--json", "is_json", is_flag=True, help="Print JSON: one object per line.")


@click.group()
def bounce() -> None:
    """Mail that came back: failure reports, complaints, automatic answers."""


@bounce.command("explain")
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--json-lines", "is_lines", is_flag=True, help="Read one path per line on standard input, write one JSON object per line.")
@_JSON
@config_option
def bounce_explain(_ground: Ground, files: tuple[str, ...], is_lines: bool, is_json: bool) -> None:
    """Tell what mails that came back say, and which rule decided. FILE - is standard input.

    Example: estafette bounce explain returned.eml
    """
    if is_lines:
        _lines(lambda path: _shown(path, *_read(path)))
        return
    if not files:
        fail(PROBLEM, "no file given (estafette bounce explain returned.eml, or - for standard input)")
    has_problem = False
    for number, path in enumerate(files):
        report, problem = _read(path)
        has_problem = has_problem or problem != ""
        if is_json:
            print_json(_shown(path, report, problem))
        else:
            if number:
                click.echo()
            _print_report(path, report, problem)
    if has_problem:
        raise SystemExit(PROBLEM)


def _read(path: str) -> tuple[Report | None, str]:
    """(the report, "") or (None, why the file cannot be read)."""
    try:
        if path == "-":
            return read_report(sys.stdin.buffer.read(MAX_MAIL)), ""
        with Path(path).open("rb") as file:
            return read_report(file.read(MAX_MAIL)), ""
    except (OSError, ValueError) as error:
        return None, str(error)


def _shown(path: str, report: Report | None, problem: str = "") -> dict[str, object]:
    if report is None:
        return {"file": path, "problem": problem}
    return {
        "file": path, "is_bounce": report.is_bounce, "recipients": list(report.recipients), "permanent": report.permanent, "hard": report.hard,
        "category": report.category or None, "related_to": report.related_to, "error": report.error, "gave_up": report.gave_up,
        "is_complaint": report.is_complaint, "feedback_type": report.feedback_type, "is_autoreply": report.is_autoreply,
        "original_message_id": report.original_message_id, "envelope_id": report.envelope_id, "reply": report.reply, "rule": report.rule,
        "failures": [asdict(failure) for failure in report.failures],
    }  # fmt: skip


def _print_report(path: str, report: Report | None, problem: str) -> None:
    if report is None:
        print_facts({"file": path, "problem": problem})
        return
    kind = "failure report" if report.is_bounce else "complaint" if report.is_complaint else "automatic reply" if report.is_autoreply else "nothing of these"
    if report.feedback_type and not report.is_complaint:
        kind = "feedback report, no complaint"
    outcome = "" if report.permanent is None else "still being tried" if not report.permanent else "given up, the cause may pass" if report.gave_up else "final"
    address = "" if not report.is_bounce else "not said" if report.hard is None else "gone (hard)" if report.hard else "may be there (soft)"
    print_facts({
        "file": path, "kind": kind, "feedback type": report.feedback_type, "recipients": ", ".join(report.recipients), "delivery": outcome,
        "address": address, "related to": report.related_to, "error": report.error, "reply": report.reply[:500],
        "original Message-ID": report.original_message_id, "envelope id": report.envelope_id, "decided by": report.rule,
    })  # fmt: skip
    for failure in report.failures if len(report.failures) > 1 else ():
        click.echo(f"  {failure.recipient}: {'delayed' if failure.is_delayed else 'failed'} {failure.status} {failure.error} ({failure.rule})")


@click.group()
def reply() -> None:
    """SMTP replies: what the answer of a receiving server means."""


@reply.command("explain")
@click.argument("texts", nargs=-1, metavar="[REPLY]...")
@click.option("--json-lines", "is_lines", is_flag=True, help="Read one JSON string per line on standard input, write one JSON object per line.")
@_JSON
@config_option
def reply_explain(_ground: Ground, texts: tuple[str, ...], is_lines: bool, is_json: bool) -> None:
    """Tell what SMTP replies mean, and which rule decided.

    Example: estafette reply explain "550 5.1.1 User unknown"
    """
    if is_lines:
        _lines(lambda line: _meaning(_text(line)))
        return
    if not texts:
        fail(PROBLEM, 'no reply given (estafette reply explain "550 5.1.1 User unknown")')
    for text in texts:
        if is_json:
            print_json({"reply": text, **_meaning(text)})
        else:
            verdict = classify_line(text)
            print_facts({
                "reply": text, "permanent": "yes" if verdict.permanent else "no", "related to": verdict.related_to, "error": verdict.error,
                "in our words": verdict.category, "whose fault": verdict.scope, "blocks the address": "yes" if verdict.blocks_address else "no",
                "slows us down": "yes" if verdict.slow_down else "no", "decided by": verdict.rule,
            })  # fmt: skip


def _text(line: str) -> str:
    """The JSON string of a line; a line that is none is taken as it stands."""
    try:
        value = json.loads(line)
    except ValueError:
        return line
    return value if isinstance(value, str) else line


def _meaning(text: str) -> dict[str, object]:
    verdict: Verdict = classify_line(text)
    category = verdict.error.replace("/", "_").replace(" ", "_")
    return {"category": category, "related_to": verdict.related_to, "permanent": verdict.permanent, "error": verdict.error, "rule": verdict.rule}


def _lines(answer: Callable[[str], dict[str, object]]) -> None:
    """One answer per line of standard input, written at once: the caller may wait for it before it asks again."""
    for line in _input_lines():
        if line.strip():
            print_json(answer(line))


def _input_lines() -> Iterator[str]:
    for line in sys.stdin:
        yield line.rstrip("\r\n")
