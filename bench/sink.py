"""The receiving end of the benchmark: a process of its own that takes mail as fast as it can, keeps none of it, and counts.

It looks at the octets only as far as it must to know where a mail ends and whether it is signed. Counts are in a small file that is mapped into
memory, so that looking at them costs the sink nothing. `python -m bench.sink --counter FILE` prints `ready ADDRESS:PORT`, and later when each mail
came that has an `X-Bench` field: `came NAME SECONDS`.
"""

import argparse
import asyncio
import mmap
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, cast

import uvloop

COUNTS: Final = struct.Struct("<QQQdd")  # mails, of them signed, octets, time of the first and of the last (CLOCK_MONOTONIC, shared by all processes)
HEADER_SEARCHED: Final = 16_384
CRLF: Final = b"\r\n"


@dataclass(frozen=True, slots=True)
class Counts:
    """What a sink has taken so far."""

    mails: int
    signed: int
    octets: int
    first_at: float
    last_at: float


class Counter:
    """The counts, written by the sink and read by whoever has the file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(COUNTS.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), COUNTS.size)

    def read(self) -> Counts:
        """The counts now."""
        return Counts(*COUNTS.unpack_from(self._memory))

    def write(self, counts: Counts) -> None:
        """Replace the counts; only the sink does."""
        COUNTS.pack_into(self._memory, 0, counts.mails, counts.signed, counts.octets, counts.first_at, counts.last_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()


class Tally:
    """Counts in this process and shows them in the file now and then, at the latest after 10 ms."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._mails = self._signed = self._octets = 0
        self._first_at = self._last_at = 0.0
        self._is_shown = True

    def add(self, octets: int, *, signed: bool) -> None:
        """One mail more."""
        self._last_at = time.monotonic()
        self._first_at = self._first_at or self._last_at
        self._mails += 1
        self._signed += signed
        self._octets += octets
        if self._is_shown:
            self._is_shown = False
            asyncio.get_running_loop().call_later(0.01, self.show)

    def show(self) -> None:
        """Write the counts to the file."""
        self._is_shown = True
        self._counter.write(Counts(self._mails, self._signed, self._octets, self._first_at, self._last_at))


class Session(asyncio.Protocol):
    """One connection. State: commands, or inside DATA (`_tail` has the last octets seen), or inside a BDAT chunk (`_missing` octets to come)."""

    def __init__(self, tally: Tally, greeting: bytes) -> None:
        self._tally = tally
        self._greeting = greeting
        self._buffer = b""
        self._in_data = False
        self._tail = b""
        self._missing = 0
        self._is_last = False
        self._is_between = False  # whether a mail by BDAT is not complete
        self._octets = 0
        self._head = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 sink.bench.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        replies: list[bytes] = []
        rest = self._buffer + data
        self._buffer = b""
        while rest:
            if self._in_data:
                rest = self._take_data(rest, replies)
            elif self._missing:
                rest = self._take_chunk(rest, replies)
            else:
                line, found, after = rest.partition(b"\r\n")
                if not found:
                    self._buffer = rest
                    if len(rest) > 4096:
                        self._transport.abort()
                    break
                rest = after
                self._command(line, replies)
        if replies:
            self._transport.write(b"".join(replies))

    def _command(self, line: bytes, replies: list[bytes]) -> None:
        assert self._transport is not None
        verb = line[:4].upper()
        if verb == b"EHLO":
            replies.append(self._greeting)
        elif verb == b"DATA":
            self._begin()
            self._in_data, self._tail = True, b"\r\n"  # a mail may be empty: the dot on the first line
            replies.append(b"354 go\r\n")
        elif verb == b"BDAT":
            words = line.split()
            if not self._is_between:
                self._begin()
            self._missing, self._is_last = int(words[1]), len(words) == 3
            self._is_between = True
            if self._missing == 0:
                self._end_chunk(replies)
        elif verb == b"QUIT":
            self._transport.write(b"".join([*replies, b"221 2.0.0 bye\r\n"]))
            replies.clear()
            self._transport.close()
        else:
            replies.append(b"250 2.0.0 ok\r\n")

    def _begin(self) -> None:
        self._octets, self._head = 0, b""

    def _see(self, piece: bytes) -> None:
        self._octets += len(piece)
        if len(self._head) < HEADER_SEARCHED:
            self._head += piece[: HEADER_SEARCHED - len(self._head)]

    def _take_data(self, rest: bytes, replies: list[bytes]) -> bytes:
        """Take content up to the final dot, which may be cut anywhere between two pieces."""
        seam = self._tail + rest[:5]
        end = seam.find(b"\r\n.\r\n")
        if end >= 0:
            end += 5 - len(self._tail)  # where the commands go on
        else:
            end = rest.find(b"\r\n.\r\n")
            if end >= 0:
                end += 5
        if end < 0:
            self._see(rest)
            self._tail = (self._tail + rest)[-4:]
            return b""
        self._see(rest[:end])
        self._in_data = False
        self._done(replies)
        return rest[end:]

    def _take_chunk(self, rest: bytes, replies: list[bytes]) -> bytes:
        piece = rest[: self._missing]
        self._see(piece)
        self._missing -= len(piece)
        if self._missing == 0:
            self._end_chunk(replies)
        return rest[len(piece) :]

    def _end_chunk(self, replies: list[bytes]) -> None:
        if self._is_last:
            self._is_between = False
            self._done(replies)
        else:
            replies.append(b"250 2.0.0 ok\r\n")

    def _done(self, replies: list[bytes]) -> None:
        header = self._head.partition(b"\r\n\r\n")[0]
        if (at := header.find(b"\r\nX-Bench: ")) >= 0:
            print(f"came {header[at + 11 :].partition(CRLF)[0].decode()} {time.monotonic():.4f}", flush=True)
        self._tally.add(self._octets, signed=header.startswith(b"DKIM-Signature:") or b"\r\nDKIM-Signature:" in header)
        replies.append(b"250 2.0.0 taken\r\n")


async def run(counter: Counter, *, port: int, chunking: bool, lifetime_s: float, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM, or until `lifetime_s` is over: nothing that a benchmark starts may outlive it for long."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.call_later(lifetime_s, ended.set)
    words = ["sink.bench.test", "PIPELINING", "SIZE 100000000", "8BITMIME", "SMTPUTF8", *(["CHUNKING"] if chunking else []), "ENHANCEDSTATUSCODES"]
    greeting = "".join(f"250{' ' if word == 'ENHANCEDSTATUSCODES' else '-'}{word}\r\n" for word in words).encode()
    tally = Tally(counter)
    server = await loop.create_server(lambda: Session(tally, greeting), "127.0.0.1", port, backlog=1024)
    ready(server.sockets[0].getsockname()[1])
    await ended.wait()
    server.close()
    tally.show()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counter", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--chunking", action="store_true")
    parser.add_argument("--lifetime-s", type=float, default=900.0)
    given = parser.parse_args()
    with Counter(given.counter) as counter:
        uvloop.run(run(counter, port=given.port, chunking=given.chunking, lifetime_s=given.lifetime_s,
                       ready=lambda port: print(f"ready 127.0.0.1:{port}", flush=True)))  # fmt: skip


if __name__ == "__main__":
    main()
