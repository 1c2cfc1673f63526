"""Verification with a table of the public key says what verification without one says."""

import ctypes
import gc
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from privysharing.protocol import crypto, p256
from privysharing.protocol.crypto import CURVE_ORDERS, SigningIdentity, VerifyingKey, sha256
from privysharing.protocol.p256 import WORTH_A_TABLE, Curve, KeyTable, NoTables, Tables

N = CURVE_ORDERS["secp256r1"]
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = ec.derive_private_key(1, ec.SECP256R1()).public_key().public_numbers()

SECRET = 0xC0FFEE
KEY = ec.derive_private_key(SECRET, ec.SECP256R1())
CURVE = Curve()

Point = tuple[int, int]


def sec1(public_key: ec.EllipticCurvePublicKey) -> bytes:
    return public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


TABLE = KeyTable(CURVE, sec1(KEY.public_key()))


def by_library(public_key: ec.EllipticCurvePublicKey, r: int, s: int, digest: bytes) -> bool:
    try:
        public_key.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


def same_verdict(r: int, s: int, digest: bytes) -> bool:
    verdict = TABLE.verify(r, s, digest)
    assert verdict == by_library(KEY.public_key(), r, s, digest)
    return verdict


def add(a: Point, b: Point) -> Point:
    """The sum of two points of the curve, neither the other's opposite."""
    rise, run = (3 * a[0] * a[0] - 3, 2 * a[1]) if a == b else (b[1] - a[1], b[0] - a[0])
    slope = rise * pow(run, -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(factor: int, point: Point) -> Point:
    found: Point | None = None
    while factor:
        if factor & 1:
            found = point if found is None else add(found, point)
        point, factor = add(point, point), factor >> 1
    assert found is not None
    return found


@given(st.binary(max_size=300))
def test_a_signature_is_good_and_a_changed_one_is_not(message: bytes) -> None:
    r, s = utils.decode_dss_signature(KEY.sign(message, ec.ECDSA(hashes.SHA256())))
    digest = sha256(message)
    assert same_verdict(r, s, digest)
    assert same_verdict(r, N - s, digest)  # whether s is low is not asked here
    assert not same_verdict(r ^ 1, s, digest)
    assert not same_verdict(r, s ^ 1, digest)
    assert not same_verdict(s, r, digest)
    assert not same_verdict(r, s, sha256(digest))


@given(st.integers(1, N - 1), st.integers(1, N - 1), st.binary(min_size=32, max_size=32))
def test_any_numbers_get_the_same_verdict(r: int, s: int, digest: bytes) -> None:
    same_verdict(r, s, digest)


@given(st.integers(1, N - 1), st.sampled_from([bytes(32), b"\xff" * 32, N.to_bytes(32, "big")]))
def test_digests_at_the_edges_get_the_same_verdict(nonce: int, digest: bytes) -> None:
    r = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x % N
    s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * SECRET) % N
    assert same_verdict(r, s, digest)
    assert not same_verdict(r, s, sha256(digest))


@pytest.mark.parametrize("outside", [0, N, N + 1, P, 1 << 256, -1])
def test_numbers_outside_the_order_are_no_signature(outside: int) -> None:
    message = b"a grant"
    r, s = utils.decode_dss_signature(KEY.sign(message, ec.ECDSA(hashes.SHA256())))
    assert not TABLE.verify(outside, s, sha256(message))
    assert not TABLE.verify(r, outside, sha256(message))
    assert not TABLE.verify(r + N, s, sha256(message))
    assert not TABLE.verify(r, s + N, sha256(message))


@given(st.integers(1, N - 1), st.integers(1, N - 1))
def test_terms_that_cancel_out_have_no_x_and_verify_nothing(r: int, s: int) -> None:
    """Who has the private key can choose a digest d for which u1*G = -u2*Q: then the sum is the point at infinity."""
    assert not same_verdict(r, s, (-r * SECRET % N).to_bytes(32, "big"))


@given(st.integers(1, N - 1))
def test_equal_terms_are_doubled(nonce: int) -> None:
    """With u1*G = u2*Q the sum is a doubling, for which the formula of addition does not hold."""
    r = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x % N
    digest = r * SECRET % N
    s = pow(nonce, -1, N) * 2 * digest % N
    assert same_verdict(r, s, digest.to_bytes(32, "big"))


@settings(max_examples=20)
@given(st.integers(1, N - 1), st.integers(2, N - 1))
def test_an_x_between_order_and_field_counts_by_its_rest(s: int, digest: int) -> None:
    """A key is made to fit the rare sum whose x is not below the order: Q = (R - u1*G) / u2."""
    r = 5  # the least for which r + N is the x of a point
    while pow(((r + N) ** 3 - 3 * (r + N) + B) % P, (P - 1) // 2, P) != 1:
        r += 1
    x = r + N
    total = x, pow((x**3 - 3 * x + B) % P, (P + 1) // 4, P)
    w = pow(s, -1, N)
    first = multiply(digest * w % N, (G.x, G.y))
    q = multiply(pow(r * w, -1, N), add(total, (first[0], P - first[1])))
    public_key = ec.EllipticCurvePublicNumbers(*q, ec.SECP256R1()).public_key()
    table, raw = KeyTable(CURVE, sec1(public_key)), digest.to_bytes(32, "big")
    assert table.verify(r, s, raw)
    assert by_library(public_key, r, s, raw)
    assert not table.verify(r + N, s, raw)
    assert not table.verify(r + 1, s, raw)
    assert not by_library(public_key, r + 1, s, raw)


@given(st.integers(1, N - 1), st.binary(min_size=32, max_size=32))
def test_an_r_that_only_the_field_takes_for_the_x_is_no_signature(nonce: int, digest: bytes) -> None:
    """r + N = x in the field, for an x below N: that r is x + P - N, and no rest of x by the order."""
    x = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x
    r = (x + P - N) % P
    if 0 < r < N:
        s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * SECRET) % N
        assert not same_verdict(r, s, digest)


def test_numbers_are_those_of_the_curve() -> None:
    assert (p256._ORDER, p256._FIELD) == (N, P)


def test_threads_share_a_table() -> None:
    def judge(number: int) -> bool:
        message = str(number).encode()
        r, s = utils.decode_dss_signature(KEY.sign(message, ec.ECDSA(hashes.SHA256())))
        return TABLE.verify(r, s, sha256(message)) and not TABLE.verify(r, s, sha256(message + b"."))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(judge, range(400)))


HYBRID = bytes([6 + sec1(KEY.public_key())[-1] % 2]) + sec1(KEY.public_key())[1:]


@pytest.mark.parametrize("point", [b"", b"\x00", b"\x04" + bytes(63) + b"\x01", b"\x04" + b"\x01" * 64, HYBRID])
def test_what_is_no_point_has_no_table(point: bytes) -> None:
    with pytest.raises(NoTables):
        KeyTable(CURVE, point)


def test_the_oldest_table_goes_when_there_are_too_many() -> None:
    tables = Tables(tables_max=2)
    points = [sec1(ec.derive_private_key(secret, ec.SECP256R1()).public_key()) for secret in (2, 3, 4)]
    assert tables.get(points[0]) is None
    made = [tables.make(point) for point in points]
    assert None not in made
    assert [tables.get(point) for point in points] == [None, *made[1:]]
    assert tables.make(points[1]) is made[1]
    assert [tables.get(point) for point in points] == [None, *made[1:]]


class Failing:
    """OpenSSL with one function that finds no memory."""

    def __init__(self, library: ctypes.CDLL, function: str) -> None:
        self._library, self._function = library, function

    def __getattr__(self, name: str) -> Callable[..., int | None]:
        return (lambda *_: None) if name == self._function else getattr(self._library, name)


def let_fail(curve: Curve, function: str) -> None:
    curve.locked, curve.unlocked = Failing(curve.locked, function), Failing(curve.unlocked, function)  # type: ignore[assignment]


@pytest.mark.parametrize("function", ["EC_GROUP_new_by_curve_name", "EC_POINT_new", "EC_GROUP_precompute_mult"])
def test_without_memory_for_one_more_the_tables_that_are_there_stay(
    function: str, caplog: pytest.LogCaptureFixture
) -> None:
    tables = Tables(tables_max=1)
    assert tables.fault is None
    assert tables._curve is not None
    first, second = (sec1(ec.derive_private_key(secret, ec.SECP256R1()).public_key()) for secret in (2, 3))
    made = tables.make(first)
    let_fail(tables._curve, function)
    assert tables.make(second) is None
    assert tables.make(second) is None
    assert [tables.get(first), tables.get(second)] == [made, None]
    assert tables.fault is not None
    assert [record.reason for record in caplog.records] == [tables.fault]  # type: ignore[attr-defined]


def test_a_python_without_openssl_has_no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_hashlib", None)
    tables = Tables()
    assert "OpenSSL is not to be had" in str(tables.fault)
    assert tables.make(sec1(KEY.public_key())) is None
    monkeypatch.setattr(crypto, "TABLES", tables)
    key, signer = VerifyingKey(KEY.public_key()), SigningIdentity("Org", b"", b"", KEY)
    signature = signer.sign(b"a grant")
    assert all(key.verify(b"a grant", signature) for _ in range(WORTH_A_TABLE + 2))
    assert not key.verify(b"another", signature)


def test_a_table_that_goes_gives_its_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    curve, freed = Curve(), []
    free = curve.locked.EC_GROUP_free
    monkeypatch.setattr(curve.locked, "EC_GROUP_free", lambda group: (freed.append(group), free(group)))
    table = KeyTable(curve, sec1(KEY.public_key()))
    group = table._group
    del table
    gc.collect()
    assert freed == [group]


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many verifications a table has done since."""
    done: list[bool] = []
    verify = KeyTable.verify

    def counted(table: KeyTable, r: int, s: int, digest: bytes) -> bool:
        done.append(verify(table, r, s, digest))
        return done[-1]

    monkeypatch.setattr(KeyTable, "verify", counted)
    monkeypatch.setattr(crypto, "TABLES", Tables())
    return lambda: len(done)


def test_a_key_gets_its_table_when_it_pays_and_a_forgery_stays_one(count: Callable[[], int]) -> None:
    signer = SigningIdentity("Org", b"", b"", KEY)
    key, other = VerifyingKey(KEY.public_key()), VerifyingKey(ec.generate_private_key(ec.SECP256R1()).public_key())
    message = b"a grant"
    signature = signer.sign(message)
    r, s = utils.decode_dss_signature(signature)
    forged = [(message + b".", signature), (message, utils.encode_dss_signature(r, N - s)), (message, b"")]
    for verifications in (0, WORTH_A_TABLE):
        assert key.verify(message, signature)
        assert not any(key.verify(*each) for each in forged)
        assert not other.verify(message, signature)
        assert (count() > 0) == (verifications > 0)
        for _ in range(WORTH_A_TABLE):
            key.verify(message, signature)
    before = count()
    assert VerifyingKey(KEY.public_key()).verify(message, signature)  # of another channel, or configuration
    assert count() == before + 1
    assert not other.verify(message, signature)
    assert count() == before + 1


def test_forgeries_earn_their_key_no_table(count: Callable[[], int]) -> None:
    key, signature = VerifyingKey(KEY.public_key()), SigningIdentity("Org", b"", b"", KEY).sign(b"a grant")
    assert not any(key.verify(b"another", signature) for _ in range(WORTH_A_TABLE + 1))
    assert key.verify(b"a grant", signature)
    assert key.verify(b"a grant", signature)
    assert count() == 0


def test_an_evicted_key_has_to_earn_its_next_table(count: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "TABLES", Tables(tables_max=1))
    private = [ec.derive_private_key(secret, ec.SECP256R1()) for secret in (2, 3)]
    first, second = [(VerifyingKey(x.public_key()), SigningIdentity("", b"", b"", x).sign(b"m")) for x in private]
    for key, signature in (first, second):  # the second one's table is the first one's end
        assert all(key.verify(b"m", signature) for _ in range(WORTH_A_TABLE))
        assert count() == 0
    assert all(first[0].verify(b"m", first[1]) for _ in range(WORTH_A_TABLE))
    assert count() == 0
    assert first[0].verify(b"m", first[1])
    assert count() == 1


@pytest.mark.parametrize("function", ["BN_CTX_new", "EC_POINT_mul"])
def test_without_memory_to_calculate_the_library_says_what_is_true(count: Callable[[], int], function: str) -> None:
    key, signature = VerifyingKey(KEY.public_key()), SigningIdentity("Org", b"", b"", KEY).sign(b"a grant")
    assert all(key.verify(b"a grant", signature) for _ in range(WORTH_A_TABLE))
    curve = crypto.TABLES._curve
    assert curve is not None
    let_fail(curve, function)
    assert key.verify(b"a grant", signature)
    assert not key.verify(b"another", signature)
    assert count() == 0


def test_other_curves_do_without(count: Callable[[], int]) -> None:
    signer = SigningIdentity("Org", b"", b"", ec.generate_private_key(ec.SECP384R1()))
    key, signature = VerifyingKey(signer.private_key.public_key()), signer.sign(b"a grant")
    assert all(key.verify(b"a grant", signature) for _ in range(WORTH_A_TABLE + 2))
    assert not key.verify(b"another", signature)
    assert count() == 0
