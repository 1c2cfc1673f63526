"""A folder of identities, in the file format of Fabric's own wallets (one `<label>.id` of JSON each)."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.sdk.documents import Document
from privysharing.sdk.errors import ProfileError

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,127}")


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """An identity as a wallet keeps it: MSP id, certificate and private key, both PEM."""

    msp_id: str
    certificate: bytes
    private_key: bytes = field(repr=False)

    def signing_identity(self) -> SigningIdentity:
        """The identity, ready to sign; ProfileError when certificate and key are none, or not of each other."""
        try:
            return load_signing_identity(self.certificate, self.private_key, self.msp_id)
        except ProtocolError as error:
            raise ProfileError(f"unusable identity of {self.msp_id}: {error}") from None


class Wallet:
    """Identities by label. Files are written for their owner alone, and whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def labels(self) -> Iterator[str]:
        """The labels, in alphabetical order."""
        yield from sorted(path.stem for path in self._folder.glob("*.id") if _LABEL.fullmatch(path.stem))

    def get(self, label: str) -> WalletEntry:
        """The entry of that label; ProfileError names those that exist when it does not."""
        body = Document.load(self._existing(label))
        if body.text("type") != "X.509":
            raise body.wrong("type", "X.509")
        if body.count("version") != 1:
            raise body.wrong("version", "1")
        credentials = body.section("credentials")
        return WalletEntry(
            body.text("mspId"), credentials.text("certificate").encode(), credentials.text("privateKey").encode()
        )

    def put(self, label: str, entry: WalletEntry) -> None:
        """Store an entry under a label, replacing what was there."""
        body = {
            "credentials": {"certificate": entry.certificate.decode(), "privateKey": entry.private_key.decode()},
            "mspId": entry.msp_id,
            "type": "X.509",
            "version": 1,
        }
        path = self._path(label)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=self._folder, prefix=f".{label}.")  # nobody else's to read or replace
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(body, file, indent=2)
                file.flush()
                os.fsync(descriptor)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink()
            raise

    def remove(self, label: str) -> None:
        """Forget an identity, readable or not; ProfileError when there is none of that label."""
        self._existing(label).unlink()

    def _existing(self, label: str) -> Path:
        path = self._path(label)
        if not path.is_file():
            known = ", ".join(self.labels()) or "nobody"
            raise ProfileError(f"no identity {label!r} in wallet {self._folder}; it holds {known}")
        return path

    def _path(self, label: str) -> Path:
        if not _LABEL.fullmatch(label):
            raise ProfileError(f"{label!r} is no label: letters, digits, and @ . _ - after the first, 128 at most")
        return self._folder / f"{label}.id"
