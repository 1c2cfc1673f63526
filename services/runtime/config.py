"""One YAML file and the environment, read once, into what a role's own `config` module turns into frozen dataclasses.

Keys are Fabric's, in any case (viper's rule). `ORDERER_GENERAL_LISTENPORT` overrides `General.ListenPort` of
orderer.yaml, `CORE_PEER_ID` overrides `peer.id` of core.yaml. A value that cannot be used is a ConfigError with key,
value and what is allowed; a key that nobody asked for is reported by `unused`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from privysharing.protocol.durations import parse_duration


class ConfigError(Exception):
    """A setting cannot be used; the text says which, what was found, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen, or whom to call."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From host:port; an empty host is every interface. Raises ValueError."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise ValueError(text)
        return cls(host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port))  # noqa: S104 - Fabric's meaning


class Section:
    """A mapping of a configuration file, and its overrides in the environment."""

    def __init__(
        self, values: Mapping[str, object], *, prefix: str, folder: Path, environment: Mapping[str, str], name: str = ""
    ) -> None:
        self._values = {str(key).lower(): (str(key), value) for key, value in values.items()}
        self._prefix = prefix
        self._folder = folder
        self._environment = environment
        self._name = name
        self._asked: set[str] = set()
        self._sections: dict[str, Section] = {}

    @classmethod
    def load(cls, path: Path, prefix: str, environment: Mapping[str, str] | None = None) -> Self:
        """Read a file. Relative paths in it start from its folder."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(f"{path} is not YAML: {error}") from error
        if not isinstance(values, Mapping):
            raise ConfigError(f"{path}: expected a mapping of sections, found {type(values).__name__}")
        environment = os.environ if environment is None else environment
        return cls(values, prefix=prefix, folder=path.resolve().parent, environment=environment)

    def section(self, key: str) -> "Section":
        """A mapping below this one; empty when it is not there."""
        self._asked.add(key.lower())
        if key.lower() not in self._sections:
            name, value = self._values.get(key.lower(), (key, None))  # as the file spells it
            if value is not None and not isinstance(value, Mapping):
                raise self._error(key, value, "a mapping")
            self._sections[key.lower()] = Section(
                value or {},
                prefix=self._prefix,
                folder=self._folder,
                environment=self._environment,
                name=self._path(name),
            )
        return self._sections[key.lower()]

    def sections(self, key: str) -> "tuple[Section, ...]":
        """A list of mappings; empty when it is not there."""
        self._asked.add(key.lower())
        _, value = self._values.get(key.lower(), (key, None))
        if value is None:
            return ()
        if not isinstance(value, Sequence) or not all(isinstance(item, Mapping) for item in value):
            raise self._error(key, value, "a list of mappings")
        found = tuple(
            Section(
                item,
                prefix=self._prefix,
                folder=self._folder,
                environment=self._environment,
                name=self._path(f"{key}[{place}]"),
            )
            for place, item in enumerate(value)
        )
        self._sections.update({f"{key.lower()}[{place}]": item for place, item in enumerate(found)})
        return found

    def has(self, key: str) -> bool:
        """Whether the file or the environment sets a key."""
        return self._find(key) is not None

    def names(self) -> tuple[str, ...]:
        """The keys that the file sets here, as they are written there."""
        return tuple(name for name, _ in self._values.values())

    def text(self, key: str, default: str | None = None, *, allowed: Sequence[str] = ()) -> str:
        """A string. Without a default it must be there."""
        value = self._required(key, default)
        if isinstance(value, Mapping | list):
            raise self._error(key, value, "text")
        text = str(value)
        if not _is_text(text):
            raise self._error(key, ascii(text), "text")
        if allowed and text not in allowed:
            raise self._error(key, text, "one of " + ", ".join(allowed))
        return text

    def texts(self, key: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of strings; in the environment separated by commas or blanks."""
        value = self._find(key)
        if value is None:
            return tuple(default)
        if isinstance(value, str):
            return tuple(value.replace(",", " ").split())
        if not isinstance(value, list) or any(isinstance(item, Mapping | list) for item in value):
            raise self._error(key, value, "a list of texts")
        if not all(_is_text(str(item)) for item in value):
            raise self._error(key, ascii(value), "a list of texts")
        return tuple(str(item) for item in value)

    def integer(self, key: str, default: int | None = None, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """A whole number within limits."""
        value = self._required(key, default)
        try:
            number = int(str(value))
        except ValueError:
            number = least - 1
        if isinstance(value, bool) or not least <= number <= most:
            raise self._error(key, value, f"a whole number from {least} to {most}")
        return number

    def flag(self, key: str, default: bool | None = None) -> bool:
        """True or false."""
        value = self._required(key, default)
        named = {"true": True, "false": False, "1": True, "0": False}
        if str(value).lower() not in named:
            raise self._error(key, value, "true or false")
        return named[str(value).lower()]

    def seconds(self, key: str, default: str | None = None, *, least: float = 0.0) -> float:
        """A duration as Go writes it: 250ms, 2s, 1h30m. A bare 0 is none at all."""
        value = str(self._required(key, default))
        allowed = f"a duration such as 250ms, 2s or 1m30s, at least {least:g}s"
        try:
            seconds = parse_duration(value)
        except ValueError:
            raise self._error(key, value, allowed) from None
        if seconds < least:
            raise self._error(key, value, allowed)
        return seconds

    def address(self, key: str, default: str | None = None) -> Address:
        """host:port."""
        value = self.text(key, default)
        try:
            return Address.parse(value)
        except ValueError:
            raise self._error(key, value, "host:port") from None

    def path(self, key: str, default: str | None = None) -> Path:
        """A path; a relative one starts from the configuration's folder."""
        return self._folder / self.text(key, default)

    def paths(self, key: str) -> tuple[Path, ...]:
        """A list of paths."""
        return tuple(self._folder / text for text in self.texts(key))

    def contents(self, key: str) -> bytes:
        """What is in the file that a key names."""
        path = self.path(key)
        try:
            return path.read_bytes()
        except OSError as error:
            raise self._error(key, path, f"a readable file ({error.strerror})") from error

    def only_file(self, key: str, *below: str) -> bytes:
        """What is in the one file of a folder, which lies so below the folder that a key names."""
        folder = self.path(key).joinpath(*below)
        try:
            files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
            if len(files) == 1:
                return files[0].read_bytes()
        except OSError as error:
            raise self._error(key, folder, f"a readable folder ({error.strerror})") from error
        raise self._error(key, folder, f"a folder with exactly one file (it has {len(files)})")

    def error(self, key: str, allowed: str) -> ConfigError:
        """The refusal of a value that only its reader can judge."""
        return self._error(key, self._find(key), allowed)

    def unused(self) -> list[str]:
        """Keys in the file that nobody asked for: misspelt, or Fabric's and without a meaning here."""
        found = [self._path(name) for key, (name, _) in self._values.items() if key not in self._asked]
        for section in self._sections.values():
            found += section.unused()
        return sorted(found)

    def _path(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key

    def _find(self, key: str) -> object | None:
        self._asked.add(key.lower())
        variable = f"{self._prefix}_{self._path(key)}".replace(".", "_").upper()
        if variable in self._environment:
            return self._environment[variable]
        return self._values.get(key.lower(), (key, None))[1]

    def _required(self, key: str, default: object | None) -> object:
        value = self._find(key)
        if value is None:
            value = default
        if value is None:
            raise ConfigError(f"{self._path(key)} is missing")
        return value

    def _error(self, key: str, value: object, allowed: str) -> ConfigError:
        name, _ = self._values.get(key.lower(), (key, None))  # as the file spells it
        return ConfigError(f"{self._path(name)}: {value!s} is not {allowed}")


def _is_text(value: str) -> bool:
    """Whether it can be part of a path, a name or a message: YAML also writes NUL, and halves of characters."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
