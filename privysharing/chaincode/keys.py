"""Composite keys, byte for byte as Fabric's shim makes them (shim CreateCompositeKey, SplitCompositeKey)."""

_SEPARATOR = "\x00"
_LAST = "\U0010ffff"


def composite_key(object_type: str, *attributes: str) -> str:
    """U+0000, then the type and every attribute, each followed by U+0000. Raises ValueError for impossible text."""
    for part in (object_type, *attributes):
        _require_key_text(part)
    return _SEPARATOR + "".join(part + _SEPARATOR for part in (object_type, *attributes))


def split(key: str) -> tuple[str, tuple[str, ...]]:
    """Object type and attributes of a composite key. Raises ValueError for any other key."""
    if len(key) < 2 or key[0] != _SEPARATOR or key[-1] != _SEPARATOR:
        raise ValueError("not a composite key")
    object_type, *attributes = key[1:-1].split(_SEPARATOR)
    return object_type, tuple(attributes)


def partial_range(object_type: str, *attributes: str) -> tuple[str, str]:
    """The half-open range of all keys that begin with these attributes."""
    prefix = composite_key(object_type, *attributes)
    return prefix, prefix + _LAST


def _require_key_text(part: str) -> None:
    if _SEPARATOR in part or _LAST in part:
        raise ValueError("U+0000 and U+10FFFF cannot be in a composite key")
    part.encode()  # refuses lone surrogates
