"""The flight log: what a worker that is gone had under way is known exactly, whatever octet it died at, and nothing is believed after a reboot."""

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from estafette.deliver import flight_files
from estafette.deliver.flight_files import FlightFolder
from estafette.deliver.flights import HEADER_BYTES, SLOT_BYTES, FlightLog, read_flights
from estafette.model import Claimed, Flight, Outcome, OutcomeKind

BOOT = "5c2e9a7e-0000-4000-8000-000000000000"
TAKEN = Outcome(OutcomeKind.DELIVERED, 77, reply="250 2.0.0 taken", host="mx.dest.example", address="192.0.2.1")


def claim(number: int, turn: int = 1) -> Claimed:
    return Claimed(number, number, 1, "a@dest.example", "dest.example", "mx", 1, 0, 0, 0, 0, 1, turn=turn)


def log(slots: int = 4) -> tuple[FlightLog, bytearray]:
    buffer = bytearray(HEADER_BYTES + slots * SLOT_BYTES)
    return FlightLog(memoryview(buffer), BOOT), buffer


def test_a_flight_is_known_from_the_final_dot_to_the_record() -> None:
    flights, buffer = log()
    assert read_flights(bytes(buffer), BOOT) == []
    assert flights.begin(claim(5, 3))
    assert flights.has(claim(5, 3)) and not flights.has(claim(5, 4))
    assert read_flights(bytes(buffer), BOOT) == [Flight(5, 3)]
    flights.answered(claim(5, 3), TAKEN)
    assert read_flights(bytes(buffer), BOOT) == [Flight(5, 3, 77, "mx.dest.example", "192.0.2.1", "250 2.0.0 taken")] == flights.flights()
    flights.end(claim(5, 3))
    flights.end(claim(5, 3))
    assert read_flights(bytes(buffer), BOOT) == []


def test_a_slot_that_is_used_again_has_nothing_of_its_last_flight() -> None:
    flights, buffer = log(slots=1)
    flights.begin(claim(1))
    flights.answered(claim(1), TAKEN)
    flights.end(claim(1))
    assert flights.begin(claim(2))
    assert read_flights(bytes(buffer), BOOT) == [Flight(2, 1)]


def test_a_full_log_says_so() -> None:
    flights, _ = log(slots=2)
    assert flights.begin(claim(1)) and flights.begin(claim(2)) and not flights.begin(claim(3))
    flights.end(claim(1))
    assert flights.begin(claim(3))


TEXT = st.characters(exclude_categories=["Cs"])


@given(st.text(TEXT, max_size=3000), st.text(TEXT, max_size=300))
def test_whatever_a_server_says_fits(reply: str, host: str) -> None:
    flights, buffer = log(slots=2)
    flights.begin(claim(1))
    flights.begin(claim(2))
    flights.answered(claim(1), Outcome(OutcomeKind.DELIVERED, 5, reply=reply, host=host))
    first, second = read_flights(bytes(buffer), BOOT) or ()
    assert (first.message_id, first.answered_at) == (1, 5) and reply.startswith(first.reply)
    assert second == Flight(2, 1)


@pytest.mark.parametrize("data", [b"", b"estafette", b"estafette flights 1\n", b"estafette flights 1\nother\n" + b"\0" * 1000, b"\0" * 1000])
def test_what_is_not_our_log_of_this_boot_tells_nothing(data: bytes) -> None:
    assert read_flights(data, BOOT) is None


@given(st.binary(max_size=2 * SLOT_BYTES), st.integers(0, 3 * SLOT_BYTES))
def test_a_damaged_log_is_read_without_a_fault(damage: bytes, at: int) -> None:
    flights, buffer = log()
    flights.begin(claim(1))
    buffer[at : at + len(damage)] = damage
    read_flights(bytes(buffer), BOOT)


def test_files_outlive_a_kill(tmp_path: Path) -> None:
    folder = FlightFolder(tmp_path / "flights")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        flights = folder.open(7, 8)
        flights.begin(claim(1))
        flights.begin(claim(2))
        flights.answered(claim(2), TAKEN)
        flights.begin(claim(3))
        flights.end(claim(3))
        os.write(writing, b"x")
        time.sleep(60)
        os._exit(0)
    assert os.read(reading, 1) == b"x"
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    found = {f.message_id: bool(f.answered_at) for f in folder.of(7) or ()}
    assert found == {1: False, 2: True}
    assert (tmp_path / "flights" / "7.flights").stat().st_mode & 0o777 == 0o600
    folder.sweep({7})
    assert folder.of(7) is not None
    folder.sweep({8})
    assert folder.of(7) is None
    folder.forget(7)


def test_after_a_reboot_nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FlightFolder(tmp_path).open(7, 8).begin(claim(1))
    assert len(FlightFolder(tmp_path).of(7) or ()) == 1
    other = tmp_path / "boot"
    other.write_text("another\n")
    monkeypatch.setattr(flight_files, "_BOOT_ID", other)
    assert FlightFolder(tmp_path).of(7) is None
    monkeypatch.setattr(flight_files, "_BOOT_ID", tmp_path / "none")
    assert FlightFolder(tmp_path).of(7) is None


def test_without_a_file_the_worker_works_and_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "flights").write_text("not a folder")
    folder = FlightFolder(tmp_path / "flights")
    assert folder.open(7, 8).begin(claim(1))
    assert folder.of(7) is None


def test_the_name_of_a_log_cannot_be_taken_beforehand(tmp_path: Path) -> None:
    """A link that somebody put there is not followed, and an old file is not written into."""
    target = tmp_path / "target"
    (tmp_path / "7.flights").symlink_to(target)
    assert FlightFolder(tmp_path).open(7, 8).begin(claim(1))
    assert not target.exists()
