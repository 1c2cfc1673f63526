"""The canonical form of a block's updates, field by field, and the chain of hashes over it."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.codec.updates import encode_updates, encode_version
from privysharing.protocol.codec.varint import encode_varint
from privysharing.protocol.commit_hash import commit_hash, next_commit_hash
from privysharing.protocol.rwsets import Update, UpdateBatch, Version
from privysharing.wire.ledger.kvledger.txmgmt.txmgr.updates_pb2 import Updates

V = Version(3, 1)


def rows(batch: UpdateBatch) -> list[tuple[str, str, bytes, bool, bytes]]:
    encoded = encode_updates(batch)
    message = Updates.FromString(encoded)
    assert message.SerializeToString() == encoded  # to the byte what protobuf writes
    return [(w.namespace, w.collection, w.key, w.isDelete, w.value) for w in message.kvwrites]


def test_names_stand_where_they_begin_and_nowhere_else() -> None:
    batch = UpdateBatch(
        {"b": {"k2": Update(b"2", V), "k1": Update(b"1", V)}, "a": {"k": Update(None, V)}},
        {("b", "z"): {b"\x02": Update(b"h", V), b"\x01": Update(None, V)}, ("b", "y"): {b"\xff": Update(b"h", V)}},
    )
    assert rows(batch) == [
        ("a", "", b"k", True, b""),
        ("b", "", b"k1", False, b"1"),
        ("", "", b"k2", False, b"2"),
        ("", "y", b"\xff", False, b"h"),
        ("", "z", b"\x01", True, b""),
        ("", "", b"\x02", False, b"h"),
    ]


def test_a_namespace_of_collections_alone_is_named_with_the_first() -> None:
    assert rows(UpdateBatch({}, {("a", "c"): {b"k": Update(b"h", V)}})) == [("a", "c", b"k", False, b"h")]


def test_the_configuration_and_the_metadata_of_keys_are_left_out() -> None:
    update, same = Update(b"v", V, b"metadata"), Update(b"v", V)
    config = {"": {"CHANNEL_CONFIG_ENV_BYTES": Update(b"config", V)}}
    assert encode_updates(UpdateBatch(config, {})) == b""
    assert encode_updates(UpdateBatch({"a": {"k": update}})) == encode_updates(UpdateBatch({"a": {"k": same}}))


def test_names_without_keys_leave_nothing() -> None:
    assert encode_updates(UpdateBatch({"a": {}}, {("b", "c"): {}})) == b""


def test_versions_are_length_and_digits() -> None:
    assert encode_version(Version(0, 0)) == b"\x00\x00"
    assert encode_version(Version(1, 255)) == b"\x01\x01\x01\xff"
    assert encode_version(Version(256, 2**64 - 1)) == b"\x02\x01\x00\x08" + b"\xff" * 8


@given(st.lists(st.builds(Version, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), min_size=2))
def test_encoded_versions_sort_as_versions_do(versions: list[Version]) -> None:
    assert sorted(versions) == sorted(versions, key=encode_version)


@given(st.lists(st.text(max_size=3), unique=True))
def test_keys_sort_by_their_bytes(keys: list[str]) -> None:
    batch = UpdateBatch({"a": {key: Update(b"v", V) for key in keys}})
    assert [row[2] for row in rows(batch)] == sorted(key.encode() for key in keys)


def test_the_hash_is_over_the_verdicts_the_updates_and_the_hash_before() -> None:
    batch = UpdateBatch({"a": {"k": Update(b"v", V)}})
    verdicts = bytes(300)
    expected = hashlib.sha256(b"\xac\x02" + verdicts + encode_updates(batch) + b"before").digest()
    assert commit_hash(b"before", verdicts, batch) == expected


def test_hashes_begin_at_block_1_and_never_later() -> None:
    empty = UpdateBatch()
    assert next_commit_hash(0, b"", b"\0", empty) == b""
    first = next_commit_hash(1, b"", b"\0", empty)
    assert first == commit_hash(b"", b"\0", empty)
    assert next_commit_hash(2, first, b"\0", empty) == commit_hash(first, b"\0", empty)
    assert next_commit_hash(2, b"", b"\0", empty) == b""


def test_varints() -> None:
    assert [encode_varint(n) for n in (0, 1, 127, 128, 300)] == [b"\x00", b"\x01", b"\x7f", b"\x80\x01", b"\xac\x02"]
