"""What a pod finds in a folder of files, and where each of them comes from: a ConfigMap, or a Secret for private keys.

Kubernetes' keys are no paths: a file's key is its path with other signs, and a volume says which path a key has.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

_NOT_IN_KEYS: Final = re.compile(r"[^-._a-zA-Z0-9]")
_PRIVATE: Final = ("*/keystore/*", "*.key", "wallet/*.id")


@dataclass(frozen=True, slots=True)
class Folder:
    """Files by their paths in the pod; each is at `sources[path]` below the overlay."""

    name: str  # of the ConfigMap and the Secret
    namespace: str
    sources: Mapping[str, str]

    @property
    def projected(self) -> list[dict[str, Any]]:
        """The sources of its volume."""
        return [
            {kind: {"name": self.name, "items": [{"key": _key(path), "path": path} for path in self._paths(private)]}}
            for kind, private in (("configMap", False), ("secret", True))
        ]

    @property
    def config_map(self) -> dict[str, Any]:
        """Its entry among kustomize's generators."""
        return self._generator(self._paths(False))

    @property
    def secret(self) -> dict[str, Any]:
        """Its entry among kustomize's generators."""
        return self._generator(self._paths(True))

    def _generator(self, paths: Collection[str]) -> dict[str, Any]:
        files = [f"{_key(path)}={self.sources[path]}" for path in paths]
        return {"name": self.name, "namespace": self.namespace, "files": files}

    def _paths(self, private: bool) -> list[str]:
        return [path for path in sorted(self.sources) if is_private(path) == private]


def is_private(path: str) -> bool:
    """Whether a file of a network holds a private key."""
    return any(PurePosixPath(path).match(pattern) for pattern in _PRIVATE)


def _key(path: str) -> str:
    return _NOT_IN_KEYS.sub("_", path)
