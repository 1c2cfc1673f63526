"""Reading JSON documents that people write: what is not as needed is told with its key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from privysharing.sdk.errors import ProfileError

_SHOWN_MAX = 80  # characters of a wrong value


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, or one inside it: `key` is where. Every wrong or missing value raises a ProfileError."""

    file: Path
    value: Mapping[str, Any]
    key: str = ""

    @classmethod
    def load(cls, file: Path) -> "Document":
        """The object in a file."""
        try:
            value = json.loads(file.read_bytes())
        except OSError as error:
            raise ProfileError(f"cannot read {file}: {error.strerror}") from None
        except (ValueError, RecursionError) as error:
            raise ProfileError(f"{file} is not JSON: {error}") from None
        if not isinstance(value, Mapping):
            raise ProfileError(f"{file}: needed an object, found {type(value).__name__}")
        return cls(file, value)

    def section(self, name: str, default: Mapping[str, Any] | None = None) -> "Document":
        """The object under a name."""
        return Document(self.file, self._get(name, default, Mapping, "an object"), self._key(name))

    def text(self, name: str) -> str:
        """The text under a name."""
        text: str = self._get(name, None, str, "text")
        return text

    def texts(self, name: str, default: list[str] | None = None) -> list[str]:
        """The texts under a name: a list of them, or the names of an object."""
        texts = list(self._get(name, default, list | Mapping, "a list of texts"))
        if any(not isinstance(text, str) for text in texts):
            raise self.wrong(name, "a list of texts")
        return texts

    def flag(self, name: str, default: bool) -> bool:
        """The truth value under a name."""
        flag: bool = self._get(name, default, bool, "true or false")
        return flag

    def count(self, name: str) -> int:
        """The number under a name, 1 or more."""
        number: int = self._get(name, None, int, "a number")
        if number < 1 or isinstance(number, bool):
            raise self.wrong(name, "a number of 1 or more")
        return number

    def certificates(self, name: str) -> bytes:
        """The certificates under a name, as PEM."""
        pem = self._pem(name)
        try:
            load_pem_x509_certificates(pem)
        except ValueError:
            raise self._error(f"{self._key(name)}: needed certificates in PEM") from None
        return pem

    def private_key(self, name: str) -> bytes:
        """The private key under a name, as PEM, not encrypted."""
        pem = self._pem(name)
        try:
            load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):  # TypeError: it is encrypted
            raise self._error(f"{self._key(name)}: needed a private key in PEM, not encrypted") from None
        return pem

    def wrong(self, name: str, needed: str) -> ProfileError:
        """What to raise when the value under a name is not what is needed."""
        return self._error(f"{self._key(name)}: needed {needed}, found {json.dumps(self.value[name])[:_SHOWN_MAX]}")

    def _pem(self, name: str) -> bytes:
        """A text, or list of texts, as `pem`, or the content of the file at `path`, which counts from this file."""
        source = self.section(name)
        if isinstance(source.value.get("pem"), list):
            return "\n".join(source.texts("pem")).encode()
        if "pem" in source.value:
            return source.text("pem").encode()
        if "path" not in source.value:
            raise self._error(f"{source.key}: needed `pem` or `path`")
        path = self.file.parent / source.text("path")
        try:
            return path.read_bytes()
        except (OSError, ValueError) as error:
            raise self._error(f"{source.key}.path: cannot read {path}: {error}") from None

    def _get(self, name: str, default: Any, kind: Any, needed: str) -> Any:
        value = self.value.get(name, default)
        if name not in self.value and default is None:
            raise self._error(f"needed {self._key(name)}, which is not there")
        if not isinstance(value, kind):
            raise self.wrong(name, needed)
        return value

    def _key(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name

    def _error(self, message: str) -> ProfileError:
        return ProfileError(f"{self.file}: {message}")
