"""Sealing, and where the master key comes from."""

import base64
import stat
from pathlib import Path

import pytest

from estafette.clock import ManualClock
from estafette.config import Config, parse
from estafette.vault import Vault, VaultError, dkim_label, open_vault

KEY = bytes(range(32))


def config(tmp_path: Path, **environ: str) -> Config:
    return parse("", "t.toml", {"ESTAFETTE_DATABASE_URL": f"sqlite:///{tmp_path}/new/mail.db", **environ}, "host.example")


def test_what_is_sealed_opens_and_shows_nothing() -> None:
    vault = Vault(KEY, ManualClock())
    sealed = vault.seal(b"private key", dkim_label("example.com", "e1"))
    assert b"private" not in sealed
    assert vault.unseal(sealed, "dkim:example.com:e1") == b"private key"
    assert vault.seal(b"private key", "x") != vault.seal(b"private key", "x")


def test_every_damage_is_noticed() -> None:
    vault = Vault(KEY, ManualClock())
    sealed = vault.seal(b"private key", "a")
    for i in range(len(sealed)):
        with pytest.raises(VaultError):
            vault.unseal(sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :], "a")
        with pytest.raises(VaultError):
            vault.unseal(sealed[:i], "a")


def test_a_wrong_key_and_a_wrong_place_are_told_apart() -> None:
    sealed = Vault(KEY, ManualClock()).seal(b"x", "dkim:a.test:e1")
    with pytest.raises(VaultError, match="sealed with another master key"):
        Vault(bytes(32), ManualClock()).unseal(sealed, "dkim:a.test:e1")
    with pytest.raises(VaultError, match="damaged or belongs to something else"):
        Vault(KEY, ManualClock()).unseal(sealed, "dkim:b.test:e1")


def test_the_key_file_is_made_once_beside_the_database_for_the_owner_only(tmp_path: Path) -> None:
    sealed = open_vault(config(tmp_path), ManualClock(seed=1)).seal(b"x", "a")
    file = tmp_path / "new" / "mail.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["mail.key"]
    assert open_vault(config(tmp_path), ManualClock(seed=2)).unseal(sealed, "a") == b"x"


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    given = config(tmp_path, ESTAFETTE_SECRETS_MASTER_KEY=base64.b64encode(KEY).decode())
    sealed = open_vault(given, ManualClock()).seal(b"x", "a")
    assert Vault(KEY, ManualClock()).unseal(sealed, "a") == b"x"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"short", base64.b64encode(bytes(16)), b"\xff\xfe", b"not base64 at all, is it?"])
def test_a_malformed_key_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "new" / "mail.key"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(VaultError, match=r"mail\.key"):
        open_vault(config(tmp_path), ManualClock())
    assert file.read_bytes() == content


def test_a_key_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("a file where the folder should be")
    with pytest.raises(VaultError, match="master key cannot be"):
        open_vault(config(tmp_path), ManualClock())
