"""How many messages `POST /v3.1/send` takes durably, with 1 and with 50 messages per call.

    python -m bench.http_send [--seconds 10] [--per-call 1 50] [--connections 4] [--database URL]

Starts the real program with SQLite (or the given database) in a temporary directory; its workers accept and do not deliver. The calls come from a process
of its own. A call counts when its 200 is read: then it is on stable storage. CPU is that of all processes of the program, whoever else uses the machine.
"""

import argparse
import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import uvloop

from bench.cpu import Watch
from bench.peers import directory, process, wait_for_line

DOMAIN: Final = "bench-sender.test"
TEXT: Final = "A line like any other, long enough to be one, and without a surprise for those who read on.\n" * 20
HTML: Final = "<p style='margin:0'>A paragraph like any other, with a <a href='https://www.example.com/x'>link</a>.</p>\n" * 30


@dataclass(frozen=True, slots=True)
class Figures:
    """One run."""

    per_call: int
    messages: int
    messages_per_s: float
    cpu_s_per_1000: float
    p50_ms: float
    p99_ms: float
    refused: int
    not_counted: int = 0  # messages that the store does not know


def message(number: int) -> dict[str, object]:
    """Text and HTML, 5 kB together."""
    return {
        "From": {"Email": f"shop@{DOMAIN}", "Name": "Shop"}, "To": [{"Email": f"reader{number}@example.net", "Name": f"Reader {number}"}],
        "Subject": f"Your order {number}", "TextPart": TEXT, "HTMLPart": HTML, "CustomID": f"order-{number}",
    }  # fmt: skip


async def offer(port: int, login: str, per_call: int, connections: int, seconds: float) -> dict[str, object]:
    """Keep-alive connections, each with one call at a time. The requests are made beforehand."""
    key = base64.b64encode(login.encode()).decode()
    bodies = [json.dumps({"Messages": [message(call * per_call + i) for i in range(per_call)]}).encode() for call in range(20)]
    requests = [
        f"POST /v3.1/send HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {key}\r\nContent-Type: application/json\r\nContent-Length: {len(b)}\r\n\r\n".encode() + b
        for b in bodies
    ]
    took: list[float] = []
    refused = 0
    began = time.monotonic()

    async def work(place: int) -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = place
        while time.monotonic() < began + seconds:
            at = time.monotonic()
            writer.write(requests[number % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
            await reader.readexactly(length)
            took.append(time.monotonic() - at)
            refused += not head.startswith(b"HTTP/1.1 200")
            number += 1
        writer.close()

    await asyncio.gather(*(work(place) for place in range(connections)))
    lasted = time.monotonic() - began
    marks = statistics.quantiles(took, n=100) if len(took) > 1 else [0.0] * 99
    calls = len(took) - refused
    rate = calls * per_call / lasted
    return {"messages": calls * per_call, "messages_per_s": rate, "p50_ms": marks[49] * 1000, "p99_ms": marks[98] * 1000, "refused": refused}


@contextmanager
def platform(database: str) -> Iterator[tuple[int, str, int, Path]]:
    """(port, login, process id, configuration) of a program that accepts and does not deliver."""
    with directory("send-") as folder:
        configuration = folder / "estafette.toml"
        url = database or f"sqlite:///{folder}/estafette.db"
        configuration.write_text(
            f'[server]\nhostname = "relay.{DOMAIN}"\nroles = ["accept"]\n[database]\nurl = "{url}"\n[submission]\nlisten = ["127.0.0.1:0"]\n'
            f'[http]\nlisten = "127.0.0.1:0"\n[secrets]\nmaster_key_file = "{folder}/master.key"\n'
        )
        account = json.loads(run("account", "add", "bench", "--json", "--config", str(configuration)))
        run("domain", "add", DOMAIN, "--account", "bench", "--verified", "--json", "--config", str(configuration))
        log = folder / "serve.log"
        with process([sys.executable, "-m", "estafette", "serve", "--config", str(configuration)], log) as started:
            line = wait_for_line(started, "ready", log)
            port = int(next(word for word in line.split() if word.startswith("http=")).rpartition(":")[2])
            yield port, f"{account['key']}:{account['secret']}", started.pid, configuration


def run(*words: str) -> str:
    """What a command prints."""
    return subprocess.run([sys.executable, "-m", "estafette", *words], capture_output=True, text=True, check=True, timeout=60).stdout


def measure(database: str, per_call: int, connections: int, seconds: float) -> Figures:
    """One run from start to clean-up: a second to warm up, then what is counted."""
    with platform(database) as (port, login, pid, configuration):
        words = [sys.executable, "-m", "bench.http_send", "--offer", str(port), login, "--per-call", str(per_call), "--connections", str(connections)]
        before = json.loads(subprocess.run([*words, "--seconds", "1"], capture_output=True, text=True, check=True, timeout=60).stdout)
        with Watch([pid]) as watch:
            said = subprocess.run([*words, "--seconds", str(seconds)], capture_output=True, text=True, check=True, timeout=seconds + 60)
            cpu_s = watch.used_s()
        report = json.loads(said.stdout)
        audit = json.loads(run("audit", "--json", "--config", str(configuration)))
    missing = before["messages"] + report["messages"] - audit["accepted"]
    return Figures(per_call, report["messages"], report["messages_per_s"], cpu_s / max(1, report["messages"]) * 1000, report["p50_ms"], report["p99_ms"],
                   report["refused"], missing)  # fmt: skip


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--per-call", type=int, nargs="+", default=[1, 50])
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--database", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--offer", nargs=2, metavar=("PORT", "LOGIN"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.offer:
        port, login = given.offer
        print(json.dumps(uvloop.run(offer(int(port), login, given.per_call[0], given.connections, given.seconds))))
        return
    if not given.json:
        print("| messages per call | messages/s | CPU s per 1000 | p50 ms | p99 ms | refused calls | lost |\n|---|---|---|---|---|---|---|")
    for per_call in given.per_call:
        f = measure(given.database, per_call, given.connections, given.seconds)
        row = f"| {f.per_call} | {f.messages_per_s:.0f} | {f.cpu_s_per_1000:.2f} | {f.p50_ms:.0f} | {f.p99_ms:.0f} | {f.refused} | {f.not_counted} |"
        print(json.dumps(asdict(f)) if given.json else row, flush=True)


if __name__ == "__main__":
    main()
