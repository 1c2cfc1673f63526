"""ECDSA signatures: what counts as one, and what only looks like one."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.crypto import (
    CURVE_ORDERS,
    HALF_ORDERS,
    SigningIdentity,
    UnusableKey,
    VerifyingKey,
    _parse_leniently,
    load_private_key,
    parse_signature,
    sha256,
    to_low_s,
)
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.signing import load_signing_identity
from tests.support.authorities import root

CURVES = [ec.SECP224R1(), ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]
KEY = ec.generate_private_key(ec.SECP256R1())
ORDER = CURVE_ORDERS["secp256r1"]
SIGNER = SigningIdentity("Org", b"", b"", KEY)
MESSAGE = b"a grant"
SIGNATURE = SIGNER.sign(MESSAGE)


def sequence(content: bytes) -> bytes:
    return bytes((0x30, len(content))) + content


def test_a_hash_covers_its_parts_as_one() -> None:
    assert sha256(b"ab", b"", b"c") == hashlib.sha256(b"abc").digest()
    assert sha256() == hashlib.sha256().digest()


@given(st.binary(max_size=200))
def test_what_a_signer_signs_verifies_and_is_low_s(message: bytes) -> None:
    signature = SIGNER.sign(message)
    numbers = parse_signature(signature)
    assert numbers is not None
    assert numbers[1] <= HALF_ORDERS["secp256r1"]
    assert VerifyingKey(KEY.public_key()).verify(message, signature)


def test_another_message_or_another_key_does_not_verify() -> None:
    assert not VerifyingKey(KEY.public_key()).verify(MESSAGE + b".", SIGNATURE)
    assert not VerifyingKey(ec.generate_private_key(ec.SECP256R1()).public_key()).verify(MESSAGE, SIGNATURE)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_on_every_curve_the_high_form_is_mathematically_right_and_yet_refused(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    low = SigningIdentity("Org", b"", b"", key).sign(MESSAGE)
    r, s = utils.decode_dss_signature(low)
    high = utils.encode_dss_signature(r, CURVE_ORDERS[curve.name] - s)
    key.public_key().verify(high, MESSAGE, ec.ECDSA(hashes.SHA256()))  # raises if the order above were wrong
    assert VerifyingKey(key.public_key()).verify(MESSAGE, low)
    assert not VerifyingKey(key.public_key()).verify(MESSAGE, high)
    assert to_low_s(high, curve) == to_low_s(low, curve) == low


def test_the_middle_of_the_order_is_still_low() -> None:
    half = HALF_ORDERS["secp256r1"]
    assert to_low_s(utils.encode_dss_signature(1, half)) == utils.encode_dss_signature(1, half)
    assert to_low_s(utils.encode_dss_signature(1, half + 1)) == utils.encode_dss_signature(1, half)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
        None,
    ],
    ids=["secp256k1", "ed25519", "rsa", "none"],
)
def test_keys_that_fabric_does_not_verify_with_verify_nothing(key: object) -> None:
    assert not VerifyingKey(key).verify(MESSAGE, SIGNATURE)


@given(st.binary(max_size=80))
def test_garbage_is_no_signature_and_no_error(garbage: bytes) -> None:
    assert not VerifyingKey(KEY.public_key()).verify(MESSAGE, garbage)


@given(st.integers(0, len(SIGNATURE) - 1), st.integers(1, 255))
def test_a_changed_byte_never_verifies(place: int, change: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[place] ^= change
    assert not VerifyingKey(KEY.public_key()).verify(MESSAGE, bytes(changed))


def test_bytes_after_the_numbers_are_passed_over_as_in_go() -> None:
    content = SIGNATURE[2:]
    assert VerifyingKey(KEY.public_key()).verify(MESSAGE, SIGNATURE + b"\x00more")
    assert VerifyingKey(KEY.public_key()).verify(MESSAGE, sequence(content + b"\x05\x00"))


def test_what_go_would_not_parse_is_refused() -> None:
    one = b"\x02\x01\x01"
    assert parse_signature(sequence(one + one)) == (1, 1)
    refused = {
        "empty": b"",
        "only a tag": b"\x30",
        "another tag": b"\x31" + sequence(one + one)[1:],
        "one number": sequence(one),
        "no number": sequence(b""),
        "not a number": sequence(one + b"\x04\x01\x01"),
        "zero r": sequence(b"\x02\x01\x00" + one),
        "zero s": sequence(one + b"\x02\x01\x00"),
        "negative s": sequence(one + b"\x02\x01\xff"),
        "no content": sequence(b"\x02\x00" + one),
        "padded r": sequence(b"\x02\x02\x00\x01" + one),
        "cut": sequence(one + one)[:-1],
        "number beyond the sequence": b"\x30\x05" + one + b"\x02\x02\x01\x01",
        "long form of a short length": b"\x30\x81\x06" + one + one,
        "indefinite length": b"\x30\x80" + one + one,
        "length with leading zero": b"\x30\x82\x00\x86" + one + b"\x02\x81\x80" + b"\x01" * 128,
        "length that is not there": b"\x30\x82\x01",
    }
    assert {why: parse_signature(raw) for why, raw in refused.items()} == dict.fromkeys(refused)


@given(
    st.lists(st.integers(-(1 << 264), 1 << 264), min_size=2, max_size=3),
    st.sampled_from([b"", b"\x00", b"\x02\x00"]),
    st.integers(0, 80),
    st.integers(0, 255),
)
def test_der_s_own_reader_changes_nothing_about_what_is_read(
    numbers: list[int], after: bytes, place: int, change: int
) -> None:
    integers = b"".join(
        b"\x02" + bytes((len(content),)) + content
        for content in (number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True) for number in numbers)
    )
    changed = bytearray(sequence(integers) + after)
    changed[place % len(changed)] ^= change
    assert parse_signature(bytes(changed)) == _parse_leniently(bytes(changed))


def test_long_lengths_are_read() -> None:
    big = b"\x02\x81\x80" + b"\x01" * 128
    content = b"\x02\x01\x01" + big
    assert parse_signature(b"\x30\x81" + bytes((len(content),)) + content) == (1, int.from_bytes(b"\x01" * 128, "big"))


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_reading_and_writing_a_signature_agree(r: int, s: int) -> None:
    assert parse_signature(utils.encode_dss_signature(r, s)) == (r, s)
    assert to_low_s(to_low_s(utils.encode_dss_signature(r, s))) == utils.encode_dss_signature(r, min(s, ORDER - s))


@pytest.mark.parametrize("garbage", [b"", b"\x30\x00", utils.encode_dss_signature(1, ORDER)])
def test_only_a_signature_has_a_low_form(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="not an ECDSA signature"):
        to_low_s(garbage)


def test_an_unknown_curve_has_no_low_form() -> None:
    with pytest.raises(ValueError, match="known curve"):
        to_low_s(SIGNATURE, ec.SECP256K1())


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_private_keys_load_in_both_forms(form: PrivateFormat) -> None:
    loaded = load_private_key(KEY.private_bytes(Encoding.PEM, form, NoEncryption()))
    assert loaded.public_key() == KEY.public_key()


def test_keys_that_cannot_sign_here_are_refused() -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    refused = [
        b"",
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
        rsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ec.generate_private_key(ec.SECP256K1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ]
    for pem in refused:
        with pytest.raises(UnusableKey):
            load_private_key(pem)


def test_a_signer_is_made_of_a_certificate_and_its_own_key() -> None:
    holder, other = root().issue("alice", "client"), root().issue("bob", "client")
    signer = load_signing_identity(holder.pem, holder.key_pem, "Org")
    assert VerifyingKey(holder.key.public_key()).verify(MESSAGE, signer.sign(MESSAGE))
    assert "private_key" not in repr(signer)
    with pytest.raises(UnusableKey, match="does not belong"):
        load_signing_identity(holder.pem, other.key_pem, "Org")
    with pytest.raises(InvalidIdentity):
        load_signing_identity(holder.key_pem, holder.key_pem, "Org")
