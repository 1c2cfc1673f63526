"""Identities on disk: for their owner alone, whole or not at all, and nowhere but in the wallet."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.certificates import Authority, Credential
from privysharing.sdk import Wallet, WalletEntry
from privysharing.sdk.errors import ProfileError


@pytest.fixture(scope="module")
def credentials() -> tuple[Credential, Credential]:
    ca = Authority.root("ca", "org", datetime.now(UTC))
    return ca.identity("alice", "client"), ca.identity("bob", "client")


@pytest.fixture
def entry(credentials: tuple[Credential, Credential]) -> WalletEntry:
    alice, _ = credentials
    return WalletEntry("CitizensMSP", alice.certificate_pem, alice.key_pem)


@pytest.fixture
def wallet(tmp_path: Path) -> Wallet:
    return Wallet(tmp_path / "wallet")


def test_what_is_put_in_comes_out_and_can_sign(wallet: Wallet, entry: WalletEntry, tmp_path: Path) -> None:
    wallet.put("alice", entry)
    assert wallet.get("alice") == entry
    assert wallet.get("alice").signing_identity().msp_id == "CitizensMSP"
    body = json.loads((tmp_path / "wallet" / "alice.id").read_text())  # as Fabric's own wallets write it
    assert set(body) == {"credentials", "mspId", "type", "version"}
    assert (body["mspId"], body["type"], body["version"]) == ("CitizensMSP", "X.509", 1)


def test_nobody_else_may_read_a_wallet(wallet: Wallet, entry: WalletEntry, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        wallet.put("alice", entry)
    finally:
        os.umask(before)
    assert (tmp_path / "wallet").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "wallet" / "alice.id").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_written_into_a_file_that_was_there_before(
    wallet: Wallet, entry: WalletEntry, tmp_path: Path
) -> None:
    folder = tmp_path / "wallet"
    folder.mkdir()
    planted = [folder / "alice.tmp", folder / "alice.id"]
    for path in planted:
        path.write_text("open to all")
        path.chmod(0o666)
    with planted[1].open() as held:
        wallet.put("alice", entry)
        assert held.read() == "open to all"
    assert planted[0].read_text() == "open to all"
    assert planted[1].stat().st_mode & 0o777 == 0o600


def test_replacing_leaves_the_new_entry_alone(
    wallet: Wallet, entry: WalletEntry, credentials: tuple[Credential, Credential], tmp_path: Path
) -> None:
    wallet.put("alice", entry)
    new = WalletEntry("MedicalMSP", credentials[1].certificate_pem, credentials[1].key_pem)
    wallet.put("alice", new)
    assert wallet.get("alice") == new
    assert [path.name for path in (tmp_path / "wallet").iterdir()] == ["alice.id"]


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    wallet: Wallet, entry: WalletEntry, tmp_path: Path
) -> None:
    wallet.put("alice", entry)
    (tmp_path / "wallet" / "bob.id").mkdir()
    with pytest.raises(OSError, match=r"bob\.id"):
        wallet.put("bob", entry)
    assert sorted(path.name for path in (tmp_path / "wallet").iterdir()) == ["alice.id", "bob.id"]
    assert wallet.get("alice") == entry


@pytest.mark.parametrize(
    "label", ["", ".", "..", "../alice", "a/b", "/etc/passwd", ".hidden", "-rf", "a b", "a\n", "a\0", "ä", "a" * 129]
)
def test_a_label_that_could_lead_elsewhere_is_refused(label: str, wallet: Wallet, entry: WalletEntry) -> None:
    for use in (wallet.get, wallet.remove, lambda label: wallet.put(label, entry)):
        with pytest.raises(ProfileError, match="is no label"):
            use(label)


@pytest.mark.parametrize("label", ["alice", "admin.medical", "alice@CitizensMSP", "a..b", "A-1_x", "a" * 128])
def test_an_ordinary_label_is_kept(label: str, wallet: Wallet, entry: WalletEntry) -> None:
    wallet.put(label, entry)
    assert list(wallet.labels()) == [label]


def test_labels_are_told_in_order_and_stray_files_are_not_labels(
    wallet: Wallet, entry: WalletEntry, tmp_path: Path
) -> None:
    assert list(wallet.labels()) == []
    for label in ("carol", "alice", "bob"):
        wallet.put(label, entry)
    for stray in (".x.id", "notes.txt", "a b.id", ".alice.1234"):
        (tmp_path / "wallet" / stray).write_text("")
    assert list(wallet.labels()) == ["alice", "bob", "carol"]


def test_an_unknown_label_is_refused_with_those_that_are_known(wallet: Wallet, entry: WalletEntry) -> None:
    with pytest.raises(ProfileError, match="it holds nobody"):
        wallet.get("alice")
    wallet.put("bob", entry)
    for use in (wallet.get, wallet.remove):
        with pytest.raises(ProfileError, match=r"no identity 'alice' in wallet .*; it holds bob"):
            use("alice")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("\xff", "is not JSON"),
        ("[]", "needed an object"),
        ("{}", "needed type"),
        ('{"type": "HSM-X.509"}', "type: needed X.509"),
        ('{"type": "X.509", "version": 2}', "version: needed 1"),
        ('{"type": "X.509", "version": 1}', "needed credentials"),
        ('{"type": "X.509", "version": 1, "credentials": [], "mspId": "A"}', "credentials: needed an object"),
        ('{"type": "X.509", "version": 1, "credentials": {}, "mspId": 7}', "mspId: needed text, found 7"),
        ('{"type": "X.509", "version": 1, "credentials": {}, "mspId": "A"}', "needed credentials.certificate"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_can_be_removed(
    text: str, message: str, wallet: Wallet, tmp_path: Path
) -> None:
    path = tmp_path / "wallet" / "alice.id"
    path.parent.mkdir()
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ProfileError) as caught:
        wallet.get("alice")
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    wallet.remove("alice")
    assert list(wallet.labels()) == []


def test_an_identity_of_which_no_signer_can_be_made_is_refused(
    entry: WalletEntry, credentials: tuple[Credential, Credential]
) -> None:
    assert entry.signing_identity().sign(b"message")
    _, bob = credentials
    for certificate, key in ((entry.certificate, bob.key_pem), (b"none", entry.private_key), (entry.certificate, b"")):
        with pytest.raises(ProfileError, match="unusable identity of CitizensMSP"):
            WalletEntry("CitizensMSP", certificate, key).signing_identity()


def test_no_private_key_is_shown(entry: WalletEntry) -> None:
    assert "PRIVATE" not in repr(entry)
