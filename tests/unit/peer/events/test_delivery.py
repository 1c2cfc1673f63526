"""Who may read gets what he asked for, in order, as long as he may; everybody else gets a status."""

import asyncio
from dataclasses import replace

import pytest

from privysharing.protocol import build
from privysharing.protocol.blocks import MetadataIndex
from privysharing.protocol.codec.blocks import encode_filter, parse_block, parse_filter
from privysharing.protocol.codec.deliver import parse_deliver_response
from privysharing.protocol.codes import HeaderType, Status, TxCode
from privysharing.protocol.deliver import (
    NEWEST,
    OLDEST,
    DeliverResponse,
    FilteredEvent,
    SeekBehavior,
    SeekContentType,
    SeekInfo,
    SeekPosition,
)
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.reading import read_transaction
from services.peer.events.delivery import FILTERED
from services.peer.events.filtered import filtered_block, filtered_commit
from services.peer.validation.validate import read_block
from tests.support import chains
from tests.support.deliveries import Room
from tests.support.endorsing import CHAINCODE, Network, endorsed, proposal, signed
from tests.support.ordering import CHANNEL, CITY, NOW_NS, STRANGERS, genesis, seek_envelope

AT = SeekPosition.at
FOREVER = AT(2**64 - 1)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.mark.parametrize(
    ("start", "stop", "numbers"),
    [
        (OLDEST, NEWEST, [0, 1, 2]),
        (NEWEST, NEWEST, [2]),
        (OLDEST, OLDEST, [0]),
        (AT(1), AT(1), [1]),
        (AT(1), AT(2), [1, 2]),
    ],
)
async def test_blocks_asked_for_come_in_order_and_then_success(
    room: Room, start: SeekPosition, stop: SeekPosition, numbers: list[int]
) -> None:
    assert await room.numbers(SeekInfo(start, stop)) == [*numbers, Status.SUCCESS]


@pytest.mark.parametrize(
    ("seek", "status"),
    [
        (SeekInfo(AT(2), AT(1)), Status.BAD_REQUEST),
        (SeekInfo(None, NEWEST), Status.BAD_REQUEST),
        (SeekInfo(OLDEST, None), Status.BAD_REQUEST),
        (SeekInfo(AT(4), AT(9)), Status.NOT_FOUND),
        (SeekInfo(AT(3), AT(3), SeekBehavior.FAIL_IF_NOT_READY), Status.NOT_FOUND),
    ],
)
async def test_a_seek_that_leads_nowhere_ends_with_its_status(room: Room, seek: SeekInfo, status: Status) -> None:
    assert await room.numbers(seek) == [status]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\xff", Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, NEWEST), channel_id="other"), Status.NOT_FOUND),
        (seek_envelope(SeekInfo(OLDEST, NEWEST), timestamp_ns=None), Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, NEWEST), timestamp_ns=NOW_NS - 2 * 10**9), Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, NEWEST), CITY.client), Status.FORBIDDEN),
        (seek_envelope(SeekInfo(OLDEST, NEWEST), STRANGERS.peer), Status.FORBIDDEN),
        (seek_envelope(SeekInfo(OLDEST, NEWEST), signature=b"forged"), Status.FORBIDDEN),
    ],
)
async def test_who_may_not_read_gets_a_status_and_no_block(room: Room, request_: bytes, status: Status) -> None:
    assert await room.answers(request_) == [DeliverResponse(status=status)]
    assert "deliver_blocks_sent" not in room.registry.render()


async def test_a_refusal_ends_the_stream_and_success_does_not(room: Room) -> None:
    good, bad = seek_envelope(SeekInfo(OLDEST, OLDEST)), seek_envelope(SeekInfo(AT(9), AT(9)))
    statuses = [answer.status for answer in await room.answers(good, good, bad, good)]
    assert statuses == [None, Status.SUCCESS, None, Status.SUCCESS, Status.NOT_FOUND]


@pytest.mark.parametrize(
    ("claimed", "shown", "status"),
    [
        (b"h", b"h", Status.SUCCESS),
        (b"h", b"", Status.BAD_REQUEST),
        (b"", b"h", Status.BAD_REQUEST),
        (b"x", b"h", Status.BAD_REQUEST),
        (b"x", None, Status.SUCCESS),
    ],
)
async def test_a_request_is_bound_to_the_connection_where_certificates_are_required(
    claimed: bytes, shown: bytes | None, status: Status
) -> None:
    request = seek_envelope(SeekInfo(OLDEST, OLDEST), tls_cert_hash=claimed)
    assert (await Room(shown).answers(request))[-1].status is status


async def test_a_stream_waits_for_blocks_to_come(room: Room) -> None:
    async with asyncio.timeout(5), room.ask(seek_envelope(SeekInfo(AT(2), AT(4)))) as answers:
        await anext(answers)
        waiting = asyncio.ensure_future(anext(answers))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        block = room.grow(chains.Tx("t3"))
        assert parse_block(parse_deliver_response(await waiting).block or b"") == block


async def test_a_reader_is_asked_again_under_a_new_configuration(room: Room) -> None:
    async with asyncio.timeout(5), room.ask(seek_envelope(SeekInfo(AT(2), FOREVER))) as answers:
        await anext(answers)
        room.config = replace(room.config, sequence=1, policies={})
        room.grow(chains.Tx("t3"))
        assert [parse_deliver_response(answer).status async for answer in answers] == [Status.FORBIDDEN]


async def test_a_reader_whose_certificate_expires_gets_no_further_block(room: Room) -> None:
    async with asyncio.timeout(5), room.ask(seek_envelope(SeekInfo(AT(2), FOREVER))) as answers:
        await anext(answers)
        room.now_ns += 366 * 24 * 3600 * 10**9
        room.grow(chains.Tx("t3"))
        assert [parse_deliver_response(answer).status async for answer in answers] == [Status.FORBIDDEN]


async def test_a_stopped_channel_ends_its_streams(room: Room) -> None:
    async with asyncio.timeout(5), room.ask(seek_envelope(SeekInfo(AT(2), FOREVER))) as answers:
        await anext(answers)
        room.notifier.stop("forked")
        assert [parse_deliver_response(answer).status async for answer in answers] == [Status.SERVICE_UNAVAILABLE]


async def test_headers_come_without_transactions_but_for_configurations(room: Room) -> None:
    seek = SeekInfo(OLDEST, NEWEST, content_type=SeekContentType.HEADER_WITH_SIG_BYTES)
    answers = await room.answers(seek_envelope(seek))
    blocks = [parse_block(answer.block) for answer in answers if answer.block]
    assert [len(block.data) for block in blocks] == [1, 0, 0]
    assert [block.header.number for block in blocks] == [0, 1, 2]


async def test_filtered_blocks_show_verdicts_and_names_of_events_but_no_payload(room: Room) -> None:
    async with room.ask(seek_envelope(SeekInfo(OLDEST, NEWEST)), form=FILTERED) as answers:
        raw = [answer async for answer in answers]
    assert not any(b"secret payload" in answer for answer in raw)
    blocks = [parse_deliver_response(answer).filtered_block for answer in raw[:-1]]
    assert [block and block.number for block in blocks] == [0, 1, 2]
    last = blocks[2]
    assert last is not None
    (tx,) = last.transactions
    assert (last.channel_id, tx.tx_id, tx.type, tx.code) == (CHANNEL, "t2", 3, TxCode.MVCC_READ_CONFLICT)
    assert tx.events == (FilteredEvent("kv", TxId("t1"), "shared"),)


async def test_filtered_blocks_have_an_access_rule_of_their_own(room: Room) -> None:
    request = seek_envelope(SeekInfo(NEWEST, NEWEST), CITY.client)
    assert (await room.answers(request, form=FILTERED))[-1].status is Status.FORBIDDEN
    room.config = replace(room.config, acls={"event/FilteredBlock": "/Channel/Application/Writers"})
    assert (await room.answers(request, form=FILTERED))[-1].status is Status.SUCCESS
    assert (await room.answers(request))[-1].status is Status.FORBIDDEN


def test_a_transaction_that_cannot_be_read_hides_no_other() -> None:
    readable = chains.envelope(chains.Tx("t1"), CHANNEL)
    block = chains.next_block(None, [b"\xff", b"", readable], [TxCode.BAD_PAYLOAD, TxCode.BAD_PAYLOAD, TxCode.VALID])
    assert [tx.tx_id for tx in filtered_block(CHANNEL, block).transactions] == ["t1"]


def test_a_block_shows_the_same_as_it_is_committed_and_as_it_is_read_again() -> None:
    network = Network()
    network.define()
    envelopes = []
    for call in (("put", "a", "1"), ("event", "shouted"), ("rmw", "a"), ("rmw", "a")):
        what = proposal(network.client, CHAINCODE, *call)
        answers = [endorsed(peer.endorser.process(signed(what, network.client))) for peer in network.peers]
        envelopes.append(build.signed(build.make_transaction(what, answers), network.client).raw)
    codes = network.channel.commit(*envelopes, b"\xff")
    assert set(codes) == {TxCode.VALID, TxCode.MVCC_READ_CONFLICT, TxCode.INVALID_OTHER_REASON}
    ledger = network.channel.ledger
    for number in range(ledger.height):
        block = ledger.block(number)
        assert block is not None
        verdicts = parse_filter(block.metadata[MetadataIndex.TRANSACTIONS_FILTER])
        again = filtered_block(CHANNEL, block)
        assert filtered_commit(CHANNEL, number, read_block(block), verdicts) == again
    assert [event.name for tx in again.transactions for event in tx.events] == ["shouted"]
    network.close()


async def test_a_committed_block_is_shown_from_what_was_read_to_judge_it(room: Room) -> None:
    read = [read_transaction(chains.envelope(chains.Tx("new"), CHANNEL))]
    room.filtered.committed(3, read, [TxCode.VALID])  # the ledger does not even have it
    answer = parse_deliver_response(await room.filtered.answer(3)).filtered_block
    assert answer is not None
    assert [(tx.tx_id, tx.code) for tx in answer.transactions] == [("new", TxCode.VALID)]


async def test_of_a_committed_block_the_header_is_shown_as_it_would_be_read_from_the_ledger(room: Room) -> None:
    tip = room.ledger.block(2)
    assert tip is not None
    following = replace(tip, header=replace(tip.header, number=3))
    room.bare.committed(following)  # the ledger does not even have it
    bare = [parse_deliver_response(await room.bare.answer(number)).block or b"" for number in (2, 3)]
    assert [parse_block(raw) for raw in bare] == [replace(tip, data=()), replace(following, data=())]


def test_a_configuration_shows_without_events() -> None:
    block = genesis().with_metadata(MetadataIndex.TRANSACTIONS_FILTER, encode_filter([TxCode.VALID]))
    (tx,) = filtered_block(CHANNEL, block).transactions
    assert (tx.type, tx.code, tx.events) == (HeaderType.CONFIG, TxCode.VALID, ())


async def test_figures_bear_fabrics_names(room: Room) -> None:
    await room.answers(seek_envelope(SeekInfo(OLDEST, NEWEST)))
    await room.answers(seek_envelope(SeekInfo(AT(9), AT(9))), form=FILTERED)
    page = room.registry.render()
    whole = 'channel="health",filtered="false",data_type="block"'
    assert f"deliver_blocks_sent{{{whole}}} 3" in page
    assert f"deliver_requests_received{{{whole}}} 1" in page
    assert f'deliver_requests_completed{{{whole},success="true"}} 1' in page
    refused = 'channel="health",filtered="true",data_type="filtered_block",success="false"'
    assert f"deliver_requests_completed{{{refused}}} 1" in page
    assert "deliver_streams_opened 2" in page
    assert "deliver_streams_closed 2" in page
