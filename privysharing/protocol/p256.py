"""ECDSA on P-256 for public keys that verify again and again: a table of each one's multiples, made once.

To verify is to compute u1*G + u2*Q (FIPS 186-5, 6.4.2). Every library has a table for the base point G, with which u1*G
takes a sixth of what u2*Q takes. Endorsers sign thousands of transactions with one key, so that a table for their Q
pays as well. The arithmetic is OpenSSL's, through the very library that Python's own `hashlib` is linked with, and
gmpy2's for the one inversion. Only public values come here: none of it needs to take the same time for all of them.
"""

import ctypes
import logging
import threading
import weakref
from typing import Final

from gmpy2 import invert, mpz

_ORDER: Final = mpz(0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551)
_FIELD: Final = mpz(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF)
_CURVE: Final = 415  # NID_X9_62_prime256v1
_NUMBER_BYTES: Final = 32
_POINT_BYTES: Final = 65
_UNCOMPRESSED: Final = 0x04  # SEC 1, 2.3.3

# A table takes as long to make as this many verifications gain by it. An evicted key has to earn its next one with as
# many again, so that keys which push each other out cost at most as much as tables gain.
WORTH_A_TABLE: Final = 700
TABLES_MAX: Final = 64  # 10 MiB; the oldest one goes

_log = logging.getLogger(__name__)

_ADDRESS, _INT, _SIZE, _BYTES = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p
_FUNCTIONS: Final = {  # result, arguments: OpenSSL's manual, pages EC_GROUP_new, EC_POINT_new, EC_POINT_add, BN_new
    "BN_CTX_free": (None, _ADDRESS),
    "BN_CTX_new": (_ADDRESS,),
    "BN_bin2bn": (_ADDRESS, _BYTES, _INT, _ADDRESS),
    "BN_bn2binpad": (_INT, _ADDRESS, _ADDRESS, _INT),
    "BN_free": (None, _ADDRESS),
    "BN_new": (_ADDRESS,),
    "EC_GROUP_free": (None, _ADDRESS),
    "EC_GROUP_get0_cofactor": (_ADDRESS, _ADDRESS),
    "EC_GROUP_get0_order": (_ADDRESS, _ADDRESS),
    "EC_GROUP_new_by_curve_name": (_ADDRESS, _INT),
    "EC_GROUP_precompute_mult": (_INT, _ADDRESS, _ADDRESS),
    "EC_GROUP_set_generator": (_INT, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS),
    "EC_POINT_add": (_INT, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS),
    "EC_POINT_free": (None, _ADDRESS),
    "EC_POINT_get_Jprojective_coordinates_GFp": (_INT, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS),
    "EC_POINT_mul": (_INT, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS),
    "EC_POINT_new": (_ADDRESS, _ADDRESS),
    "EC_POINT_oct2point": (_INT, _ADDRESS, _ADDRESS, _BYTES, _SIZE, _ADDRESS),
    "ERR_clear_error": (None,),
}


class NoTables(Exception):
    """A table cannot be had or used: no OpenSSL in this Python, none of its memory left, or what is no point."""


class Curve:
    """P-256 as Python's own OpenSSL knows it. Raises NoTables."""

    def __init__(self) -> None:
        try:
            import _hashlib  # absent where Python was built without OpenSSL

            # The same functions twice. Who lets the interpreter's lock go may wait long to have it again, so only
            # what takes many microseconds does.
            self.locked = _declared(ctypes.PyDLL(_hashlib.__file__))
            self.unlocked = _declared(ctypes.CDLL(_hashlib.__file__))
        except (ImportError, AttributeError, OSError) as error:
            raise NoTables(f"Python's OpenSSL is not to be had: {error}") from error
        self.group = self.check(self.locked.EC_GROUP_new_by_curve_name(_CURVE))
        self.scratches: list[_Scratch] = []  # as many as threads were here at a time

    def check(self, result: int | None) -> int:
        """What a call gave. Raises NoTables where it failed: for want of memory, or over what is no point."""
        if not result:
            self.locked.ERR_clear_error()  # this thread's, which its next TLS call would take for its own
            raise NoTables("OpenSSL failed to calculate on P-256")
        return result


class _Scratch:
    """Room for one calculation at a time."""

    def __init__(self, curve: Curve) -> None:
        openssl, check = curve.locked, curve.check
        self.context = check(openssl.BN_CTX_new())
        self.scalar, self.x, self.z = (check(openssl.BN_new()) for _ in range(3))
        self.sum, self.term = (check(openssl.EC_POINT_new(curve.group)) for _ in range(2))
        self.raw_x, self.raw_z = (ctypes.create_string_buffer(_NUMBER_BYTES) for _ in range(2))


class KeyTable:
    """The table of one public key, and what verifies with it. Safe to share between threads."""

    def __init__(self, curve: Curve, point: bytes) -> None:
        """`point` is the key in SEC 1's uncompressed form. Raises NoTables where that is not on the curve."""
        self._curve = curve
        self._group = _precomputed(curve, point)
        weakref.finalize(self, curve.locked.EC_GROUP_free, self._group).atexit = False

    def verify(self, r: int, s: int, digest: bytes) -> bool:
        """Whether r and s are a signature of a message with this SHA-256 digest. Raises NoTables: out of memory."""
        if not (0 < r < _ORDER and 0 < s < _ORDER):
            return False
        try:
            scratch = self._curve.scratches.pop()
        except IndexError:
            scratch = _Scratch(self._curve)
        try:
            return self._verify(r, s, digest, scratch)
        finally:
            self._curve.scratches.append(scratch)

    def _verify(self, r: int, s: int, digest: bytes, at: _Scratch) -> bool:
        locked, unlocked, group, size = self._curve.locked, self._curve.unlocked, self._curve.group, _NUMBER_BYTES
        inverse = invert(s, _ORDER)
        u1 = (int.from_bytes(digest, "big") * inverse % _ORDER).to_bytes(size, "big")
        u2 = (r * inverse % _ORDER).to_bytes(size, "big")
        self._curve.check(
            locked.BN_bin2bn(u1, size, at.scalar)
            and unlocked.EC_POINT_mul(group, at.sum, at.scalar, None, None, at.context)
            and locked.BN_bin2bn(u2, size, at.scalar)
            and unlocked.EC_POINT_mul(self._group, at.term, at.scalar, None, None, at.context)
            and locked.EC_POINT_add(group, at.sum, at.sum, at.term, at.context)
            and locked.EC_POINT_get_Jprojective_coordinates_GFp(group, at.sum, at.x, None, at.z, at.context)
            and locked.BN_bn2binpad(at.x, at.raw_x, size)
            and locked.BN_bn2binpad(at.z, at.raw_z, size)
        )
        x, z = int.from_bytes(at.raw_x, "big"), int.from_bytes(at.raw_z, "big")
        squared = z * z % _FIELD
        if squared == 0:  # the point at infinity has no x
            return False
        # The sum's x is x / z^2 in the field, and r the rest of that by the order, which is a little below the field's.
        return bool(
            (x - r * squared) % _FIELD == 0 or (r + _ORDER < _FIELD and (x - (r + _ORDER) * squared) % _FIELD == 0)
        )


class Tables:
    """The tables of the last keys that were worth one. Safe to share between threads."""

    def __init__(self, tables_max: int = TABLES_MAX) -> None:
        self._tables_max = tables_max
        self._by_point: dict[bytes, KeyTable] = {}
        self._making = threading.Lock()
        self._curve: Curve | None = None
        self.fault: str | None = None  # why there are no more
        try:
            self._curve = Curve()
        except NoTables as error:
            self.fault = str(error)

    def get(self, point: bytes) -> KeyTable | None:
        """The table of a key, where it has one."""
        return self._by_point.get(point)

    def make(self, point: bytes) -> KeyTable | None:
        """A table for a valid key that has none; None where there can be none, or another is being made."""
        if self.fault is not None or self._curve is None or not self._making.acquire(blocking=False):
            return None
        try:
            made = self._by_point.get(point)  # perhaps by a thread that came here first
            if made is None:
                made = KeyTable(self._curve, point)
                while len(self._by_point) >= self._tables_max:
                    del self._by_point[next(iter(self._by_point))]
                self._by_point[point] = made
            return made
        except NoTables as error:
            self.fault = str(error)
            _log.warning("no more keys get tables to be verified with", extra={"reason": self.fault})
            return None
        finally:
            self._making.release()


def _precomputed(curve: Curve, point: bytes) -> int:
    """A group whose base point is `point`, with its table of 150 KiB. Takes 30 ms, beside other threads.

    An event loop that verifies stands still for as long, once in a key's life: handing over every verification to a
    thread would cost it more.
    """
    if len(point) != _POINT_BYTES or point[0] != _UNCOMPRESSED:
        raise NoTables("not a point in SEC 1's uncompressed form")
    locked, check = curve.locked, curve.check
    group = base = None
    try:
        group = check(locked.EC_GROUP_new_by_curve_name(_CURVE))
        base = check(locked.EC_POINT_new(group))
        order, cofactor = locked.EC_GROUP_get0_order(curve.group), locked.EC_GROUP_get0_cofactor(curve.group)
        check(locked.EC_POINT_oct2point(group, base, point, len(point), None))
        check(locked.EC_GROUP_set_generator(group, base, order, cofactor))
        check(curve.unlocked.EC_GROUP_precompute_mult(group, None))
    except NoTables:
        locked.EC_GROUP_free(group)
        raise
    finally:
        locked.EC_POINT_free(base)
    return group


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


TABLES: Final = Tables()  # of this process
