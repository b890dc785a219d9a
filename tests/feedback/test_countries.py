"""The country of a reader, by a database in MaxMind's format that is made here: one network, two records."""

import struct
from pathlib import Path

import pytest

from estafette.feedback.countries import CountriesError, no_country, open_countries

pytest.importorskip("maxminddb")


def _text(value: str) -> bytes:
    return bytes([2 << 5 | len(value)]) + value.encode()


def _map(entries: dict[str, bytes]) -> bytes:
    return bytes([7 << 5 | len(entries)]) + b"".join(_text(name) + value for name, value in entries.items())


def _number(value: int, kind: int) -> bytes:
    octets = value.to_bytes(4, "big")
    return (bytes([kind << 5 | 4]) if kind < 8 else bytes([4, kind - 7])) + octets


def make_database(path: Path) -> None:
    """A tree of one bit: 0.0.0.0/1 is in France, 128.0.0.0/1 has a record without a country (specification of MaxMind DB 2.0)."""
    france = _map({"country": _map({"iso_code": _text("fr")})})
    nowhere = _map({"country": _text("odd")})
    nodes, data = 1, france + nowhere
    tree = struct.pack(">II", nodes + 16, nodes + 16 + len(france))
    metadata = _map({
        "node_count": _number(nodes, 6), "record_size": bytes([5 << 5 | 2, 0, 32]), "ip_version": bytes([5 << 5 | 2, 0, 4]),
        "database_type": _text("Test"), "languages": bytes([0, 4]), "binary_format_major_version": bytes([5 << 5 | 1, 2]),
        "binary_format_minor_version": bytes([5 << 5 | 1, 0]), "build_epoch": _number(1, 9), "description": bytes([7 << 5]),
    })  # fmt: skip
    path.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata)


def test_countries(tmp_path: Path) -> None:
    make_database(tmp_path / "countries.mmdb")
    country_of = open_countries(str(tmp_path / "countries.mmdb"))
    assert [country_of(a) for a in ("9.9.9.9", "192.0.2.1", "2001:db8::1", "unknown", "")] == ["FR", "", "", "", ""]


def test_no_database_and_a_wrong_one(tmp_path: Path) -> None:
    assert open_countries("") is no_country and no_country("9.9.9.9") == ""
    (tmp_path / "wrong").write_bytes(b"x")
    for path in ("wrong", "missing"):
        with pytest.raises(CountriesError, match="cannot be read"):
            open_countries(str(tmp_path / path))
