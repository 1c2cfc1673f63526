"""What may be ordered is decided in Fabric's order, with Fabric's statuses and words."""

from datetime import timedelta

import pytest

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize, ConsensusState
from privysharing.protocol.codec.envelopes import encode_channel_header, encode_envelope, encode_payload
from privysharing.protocol.codes import HeaderType, Status
from privysharing.protocol.envelopes import ChannelHeader, TxId
from services.orderer.admission import Clock, Message, Refusal, classify, judge_config, judge_normal, read_message
from tests.support.authorities import START
from tests.support.ordering import CHANNEL, CITY, NOW_NS, ORDERERS, SECOND_NS, SIGNER, STRANGERS, envelope, genesis

CONFIG = ChannelConfig.from_block(genesis())
CLOCK = Clock(NOW_NS, window_ns=600 * SECOND_NS)
DENIED = (
    "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the "
    "'Writers' sub-policies to be satisfied: permission denied"
)


def read(raw: bytes) -> Message:
    message = read_message(raw)
    assert isinstance(message, Message), message
    return message


def judge(raw: bytes, config: ChannelConfig = CONFIG, clock: Clock | None = CLOCK) -> Refusal | None:
    return judge_normal(read(raw), config, clock)


def test_a_writer_s_envelope_is_admitted() -> None:
    assert judge(envelope()) is None
    assert classify(read(envelope())) is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xff", "not a common.Envelope"),
        (encode_envelope(b"\xff", b"s"), "not a common.Payload"),
        (encode_envelope(b"", b"s"), "header not set"),
        (encode_envelope(encode_payload(b"", b"", b"x"), b"s"), "channel header not set"),
        (encode_envelope(encode_payload(b"\xff", b"", b"x"), b"s"), "not a common.ChannelHeader"),
    ],
)
def test_an_unreadable_header_is_a_bad_request(raw: bytes, reason: str) -> None:
    assert read_message(raw) == Refusal(Status.BAD_REQUEST, f"could not determine channel ID: {reason}")


def test_fields_that_we_do_not_know_are_kept_behind_our_own_as_fabric_keeps_them() -> None:
    plain = envelope()
    assert read(b"\x1a\x01x" + plain).canonical == plain + b"\x1a\x01x"


@pytest.mark.parametrize(
    ("kind", "info"),
    [
        (HeaderType.CONFIG, "message is of type that cannot be processed directly"),
        (HeaderType.ORDERER_TRANSACTION, "message is of type that is no longer supported"),
    ],
)
def test_types_that_nobody_may_submit_are_refused(kind: HeaderType, info: str) -> None:
    assert classify(read(envelope(kind=kind))) == Refusal(Status.BAD_REQUEST, info)


@pytest.mark.parametrize("kind", [HeaderType.MESSAGE, HeaderType.DELIVER_SEEK_INFO, 77])
def test_any_other_type_counts_as_normal(kind: int) -> None:
    message = read(envelope(kind=kind))
    assert classify(message) is None
    assert judge_normal(message, CONFIG, CLOCK) is None


def test_the_same_envelope_is_admitted_twice() -> None:
    raw = envelope()
    assert judge(raw) is None
    assert judge(raw) is None


def test_in_maintenance_normal_messages_wait() -> None:
    config = ChannelConfig.from_block(genesis(state=ConsensusState.MAINTENANCE))
    expected = Refusal(Status.SERVICE_UNAVAILABLE, "normal transactions are rejected: maintenance mode")
    assert judge(envelope(who=STRANGERS.client), config) == expected


def test_in_maintenance_only_orderers_may_write_configurations() -> None:
    config = ChannelConfig.from_block(genesis(state=ConsensusState.MAINTENANCE))
    refusal = judge_config(read(envelope(who=CITY.admin, kind=HeaderType.CONFIG_UPDATE)), config, CLOCK)
    assert refusal is not None
    assert refusal.status is Status.FORBIDDEN
    assert judge_config(read(envelope(who=SIGNER, kind=HeaderType.CONFIG_UPDATE)), config, CLOCK) is None


def test_a_message_is_refused_above_the_absolute_size_and_admitted_at_it() -> None:
    raw = envelope(b"x" * 500)
    size = read(raw).size
    exactly = ChannelConfig.from_block(genesis(batch=BatchSize(10, size, size)))
    below = ChannelConfig.from_block(genesis(batch=BatchSize(10, size - 1, size - 1)))
    assert judge(raw, exactly) is None
    info = f"message payload is {size} bytes and exceeds maximum allowed {size - 1} bytes"
    assert judge(raw, below) == Refusal(Status.BAD_REQUEST, info)


def test_size_is_judged_before_the_signer() -> None:
    config = ChannelConfig.from_block(genesis(batch=BatchSize(10, 100, 100)))
    refusal = judge(envelope(b"x" * 500, STRANGERS.client), config)
    assert refusal is not None
    assert refusal.info.startswith("message payload is")


def test_an_expired_client_is_refused_before_his_rights_are_asked() -> None:
    late = Clock(int((START + timedelta(days=400)).timestamp()) * SECOND_NS, 0)
    expected = Refusal(Status.BAD_REQUEST, "broadcast client identity expired")
    assert judge(envelope(), clock=late) == expected
    assert judge(envelope(who=CITY.peer), clock=late) == expected
    assert judge(envelope(), clock=Clock(late.now_ns, 0, check_expiry=False)) is None


@pytest.mark.parametrize(
    "raw",
    [
        envelope(who=STRANGERS.client),
        envelope(who=CITY.peer),  # no Writer here
        envelope(who=ORDERERS.client),
        envelope(signature=b""),
        envelope(signature=CITY.client.sign(b"something else")),
    ],
    ids=["stranger", "peer", "another organisation's client", "unsigned", "mis-signed"],
)
def test_whoever_is_no_writer_is_forbidden(raw: bytes) -> None:
    assert judge(raw) == Refusal(Status.FORBIDDEN, DENIED)


def test_an_unreadable_signature_header_is_a_bad_request() -> None:
    header = encode_channel_header(ChannelHeader(3, CHANNEL, TxId("")))
    refusal = judge(encode_envelope(encode_payload(header, b"\xff", b""), b"s"))
    assert refusal is not None
    assert refusal.status is Status.BAD_REQUEST
    assert refusal.info.startswith("could not convert message to signedData")


@pytest.mark.parametrize("offset_s", [-601, 601, None])
def test_a_transaction_kept_back_is_refused(offset_s: int | None) -> None:
    timestamp = None if offset_s is None else NOW_NS + offset_s * SECOND_NS
    refusal = judge(envelope(timestamp_ns=timestamp))
    assert refusal is not None
    assert refusal.status is Status.BAD_REQUEST
    assert "timestamp" in refusal.info


@pytest.mark.parametrize("offset_s", [-600, 0, 600])
def test_a_transaction_within_the_window_is_admitted(offset_s: int) -> None:
    assert judge(envelope(timestamp_ns=NOW_NS + offset_s * SECOND_NS)) is None


def test_without_a_window_any_timestamp_will_do() -> None:
    clock = Clock(NOW_NS, window_ns=0)
    assert judge(envelope(timestamp_ns=None), clock=clock) is None
    assert judge(envelope(timestamp_ns=1), clock=clock) is None


def test_a_stranger_learns_of_his_rights_and_not_of_our_clock() -> None:
    assert judge(envelope(who=STRANGERS.client, timestamp_ns=1)) == Refusal(Status.FORBIDDEN, DENIED)
