"""A value that must not leak by accident."""

from typing import NoReturn


class Secret:
    """Bytes from the transient field or a private collection.

    It cannot be formatted, logged, compared, pickled or put into JSON: every such attempt raises. `disclose` is the one
    way to the bytes, and each use of it is meant to be found by a reviewer.
    """

    __slots__ = ("__value",)

    def __init__(self, value: bytes) -> None:
        self.__value = bytes(value)

    def disclose(self) -> bytes:
        """The bytes. From here on they are the caller's responsibility."""
        return self.__value

    def __len__(self) -> int:
        return len(self.__value)

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a secret cannot be shown, compared or copied; call disclose() where that is intended")

    __repr__ = __str__ = __bytes__ = _refuse
    __format__ = __reduce_ex__ = __getstate__ = __eq__ = __hash__ = _refuse
