"""A folder of identities, in the file format of Fabric's own wallets (one `<label>.id` of JSON each)."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.sdk.errors import ProfileError

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._-]{0,127}")


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """An identity as a wallet keeps it: MSP id, certificate and private key, both PEM."""

    msp_id: str
    certificate: bytes
    private_key: bytes = field(repr=False)

    def signing_identity(self) -> SigningIdentity:
        """The identity, ready to sign."""
        return load_signing_identity(self.certificate, self.private_key, self.msp_id)


class Wallet:
    """Identities by label. Files are written for their owner alone, and whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def labels(self) -> Iterator[str]:
        """The labels, in alphabetical order."""
        yield from sorted(path.stem for path in self._folder.glob("*.id"))

    def get(self, label: str) -> WalletEntry:
        """The entry of that label; ProfileError names those that exist when it does not."""
        path = self._path(label)
        try:
            body = json.loads(path.read_text())
            if body["type"] != "X.509" or body["version"] != 1:
                raise ProfileError(f"{path}: needed an X.509 identity of version 1")
            credentials = body["credentials"]
            return WalletEntry(body["mspId"], credentials["certificate"].encode(), credentials["privateKey"].encode())
        except FileNotFoundError:
            known = ", ".join(self.labels()) or "nobody"
            raise ProfileError(f"no identity {label!r} in wallet {self._folder}; it holds {known}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProfileError(f"{path} is not a wallet identity: {type(error).__name__}") from None

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
        draft = path.with_suffix(".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(body, file, indent=2)
        draft.replace(path)

    def remove(self, label: str) -> None:
        """Forget an identity; ProfileError when there is none of that label."""
        self.get(label)
        self._path(label).unlink()

    def _path(self, label: str) -> Path:
        if not _LABEL.fullmatch(label):
            raise ProfileError(f"{label!r} is no label: letters, digits, and @ . _ - after the first, 128 at most")
        return self._folder / f"{label}.id"
