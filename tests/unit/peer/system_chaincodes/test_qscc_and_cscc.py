"""qscc, cscc and lscc: what they answer, and whom they refuse."""

from collections.abc import Iterator

import pytest

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.genesis import genesis_block
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.system_chaincodes import (
    parse_blockchain_info,
    parse_channel_ids,
    parse_legacy_chaincodes,
)
from privysharing.protocol.codec.transactions import parse_processed_transaction
from privysharing.protocol.codes import TxCode
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.system_chaincodes import BlockchainInfo
from privysharing.protocol.transactions import ProposalResponse
from tests.support.endorsing import CHAINCODE, CHANNEL, NOW_NS, Network, Peer, endorsed, profile, proposal, signed

DENIED = (
    f"Failed evaluating policy on signed data during check policy on channel [{CHANNEL}] with policy "
    "[/Channel/Application/Readers]: [implicit policy evaluation failed - 0 sub-policies were satisfied, but this "
    "policy requires 1 of the 'Readers' sub-policies to be satisfied]"
)
UNREADABLE = "error unmarshalling Block: proto: cannot parse invalid wire-format data"
NOT_ADMIN = (
    "Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with "
    "policy [Admins]: [The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU "
    "[ADMIN], MSP: [Org1MSP]]"
)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network()
    made.define()
    assert made.submit(made.client, CHAINCODE, "put", "a", "1") is TxCode.VALID
    yield made
    made.close()


@pytest.fixture
def reader(network: Network) -> SigningIdentity:
    """The channel's Readers are its peers and admins."""
    return network.admins[0]


def ask(network: Network, who: SigningIdentity, chaincode: str, *args: str | bytes, channel_id: str = CHANNEL) -> bytes:
    """The payload of a successful answer, which is endorsed when it is about a channel."""
    outcome = network.peers[0].answer(who, chaincode, *args, channel_id=channel_id)
    assert isinstance(outcome, ProposalResponse), outcome
    assert outcome.response.status == 200, outcome.response
    assert (outcome.endorsement is not None) == bool(channel_id)
    return outcome.response.payload


def refused(
    network: Network, who: SigningIdentity, chaincode: str, *args: str | bytes, channel_id: str = CHANNEL
) -> str:
    outcome = network.peers[0].answer(who, chaincode, *args, channel_id=channel_id)
    assert isinstance(outcome, ProposalResponse), outcome
    assert (outcome.response.status, outcome.endorsement) == (500, None)
    return outcome.response.message


def stored(network: Network, number: int) -> Block:
    block = network.channel.ledger.block(number)
    assert block is not None
    return block


def test_chain_info_is_height_and_both_newest_hashes(network: Network, reader: SigningIdentity) -> None:
    height = network.channel.ledger.height
    newest = stored(network, height - 1).header
    expected = BlockchainInfo(height, header_hash(newest), newest.previous_hash)
    assert parse_blockchain_info(ask(network, reader, "qscc", "GetChainInfo", CHANNEL)) == expected


def test_blocks_are_found_by_number_hash_and_transaction(network: Network, reader: SigningIdentity) -> None:
    ledger = network.channel.ledger
    number = ledger.height - 1
    block = stored(network, number)
    (tx_id,) = (tx for tx, place in ledger.snapshot().transactions.items() if place.block_num == number)
    for function, argument in (
        ("GetBlockByNumber", str(number)),
        ("GetBlockByNumber", str(2**64 - 1)),  # the newest
        ("GetBlockByHash", header_hash(block.header)),
        ("GetBlockByTxID", tx_id),
    ):
        assert parse_block(ask(network, reader, "qscc", function, CHANNEL, argument)) == block
    envelope, code = parse_processed_transaction(ask(network, reader, "qscc", "GetTransactionByID", CHANNEL, tx_id))
    assert (envelope, code) == (block.data[0], TxCode.VALID)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("GetChainInfo",), "Incorrect number of arguments, 1"),
        (("GetChainInfo", "nowhere"), "Invalid chain ID, nowhere"),
        (("GetBlockByNumber", CHANNEL), "missing 3rd argument for GetBlockByNumber"),
        (
            ("GetBlockByNumber", CHANNEL, "99"),
            "Failed to get block number 99, error no such block number [99] in index",
        ),
        (
            ("GetBlockByNumber", CHANNEL, "-1"),
            'Failed to parse block number with error strconv.ParseUint: parsing "-1": invalid syntax',
        ),
        (
            ("GetBlockByNumber", CHANNEL, str(2**64)),
            f'Failed to parse block number with error strconv.ParseUint: parsing "{2**64}": value out of range',
        ),
        (("GetBlockByHash", CHANNEL, "x"), "Failed to get block hash x, error no such block hash [78] in index"),
        (
            ("GetTransactionByID", CHANNEL, "none"),
            "Failed to get transaction with id none, error no such transaction ID [none] in index",
        ),
        (
            ("GetBlockByTxID", CHANNEL, "none"),
            "Failed to get block for txID none, error no such transaction ID [none] in index",
        ),
        (("Nope", CHANNEL, "x"), f"access denied for [Nope][{CHANNEL}]: [Unmapped policy for qscc/Nope]"),
    ],
)
def test_what_is_not_on_the_ledger_is_refused(
    network: Network, reader: SigningIdentity, args: tuple[str, ...], text: str
) -> None:
    assert refused(network, reader, "qscc", *args) == text


@pytest.mark.parametrize(
    "args",
    [
        ("GetChainInfo", CHANNEL),
        ("GetBlockByNumber", CHANNEL, "0"),
        ("GetBlockByHash", CHANNEL, "x"),
        ("GetTransactionByID", CHANNEL, "x"),
        ("GetBlockByTxID", CHANNEL, "x"),
    ],
)
def test_blocks_are_not_for_clients(network: Network, args: tuple[str, ...]) -> None:
    """A client of this channel is no Reader: he may propose, but not look past the contract."""
    assert refused(network, network.client, "qscc", *args) == f"access denied for [{args[0]}][{CHANNEL}]: [{DENIED}]"


def test_whom_a_channel_does_not_know_cannot_look_into_it_by_another(network: Network) -> None:
    """A proposal on one channel that asks for another one is judged by that other one's members."""
    foreign = profile(network.org2, orderer=network.orderer, channel_id="foreign")
    network.channels.join(genesis_block(foreign, nonce=b"foreign", timestamp_ns=NOW_NS))
    text = refused(network, network.admins[0], "qscc", "GetChainInfo", "foreign")
    assert text.startswith("access denied for [GetChainInfo][foreign]: [Failed evaluating policy")
    assert parse_blockchain_info(ask(network, network.admins[1], "qscc", "GetChainInfo", "foreign")).height == 1


def test_cscc_lists_the_channels_for_members_of_the_peers_organisation(network: Network) -> None:
    assert CHANNEL in parse_channel_ids(ask(network, network.client, "cscc", "GetChannels", channel_id=""))
    other = network.org2.signer("user", "client")
    outcome = network.peers[0].answer(other, "cscc", "GetChannels")
    assert isinstance(outcome, ProposalResponse)
    assert outcome.response.message == (
        "access denied for [GetChannels]: Failed deserializing proposal creator during channelless check policy with "
        "policy [Members]: [expected MSP ID Org1MSP, received Org2MSP]"
    )


def test_cscc_gives_the_configuration_to_readers(network: Network, reader: SigningIdentity) -> None:
    assert parse_block(ask(network, reader, "cscc", "GetConfigBlock", CHANNEL)) == stored(network, 0)
    assert ask(network, reader, "cscc", "GetChannelConfig", CHANNEL) == network.channel.config.raw
    for function in ("GetConfigBlock", "GetChannelConfig"):
        text = refused(network, network.client, "cscc", function, CHANNEL)
        assert text == f"access denied for [{function}][{CHANNEL}]: {DENIED}"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "Incorrect number of arguments, 0"),
        (("GetConfigBlock",), "Incorrect number of arguments, 1"),
        (("Nope", "x"), "Requested function Nope not found."),
        (
            ("GetConfigBlock", "nowhere"),
            "access denied for [GetConfigBlock][nowhere]: Failed to get policy manager for channel [nowhere]",
        ),
        (("GetChannelConfig", ""), "empty channel name provided"),
        (("JoinChain", ""), "Cannot join the channel <nil> configuration block provided"),
        (
            ("JoinChain", b"\xff"),
            f"Failed to reconstruct the genesis block, {UNREADABLE}",
        ),
    ],
)
def test_cscc_refuses_what_it_does_not_know(
    network: Network, reader: SigningIdentity, args: tuple[str | bytes, ...], text: str
) -> None:
    assert refused(network, reader, "cscc", *args) == text


def test_an_admin_of_the_peers_organisation_joins_a_channel_once(network: Network) -> None:
    genesis = genesis_block(
        profile(network.org1, orderer=network.orderer, channel_id="joined"), nonce=b"joined", timestamp_ns=NOW_NS
    )
    raw = encode_block(genesis)
    for who, why in ((network.client, NOT_ADMIN), (network.admins[1], None)):
        outcome = network.peers[0].answer(who, "cscc", "JoinChain", raw)
        assert isinstance(outcome, ProposalResponse)
        assert outcome.response.message.startswith("access denied for [JoinChain][joined]: [")
        assert why is None or why in outcome.response.message
    assert network.channels.get("joined") is None
    ask(network, network.admins[0], "cscc", "JoinChain", raw, channel_id="")
    assert network.channels.get("joined") is not None
    assert "already exists" in refused(network, network.admins[0], "cscc", "JoinChain", raw, channel_id="")


def test_a_block_that_is_no_configuration_cannot_be_joined(network: Network) -> None:
    text = refused(network, network.admins[0], "cscc", "JoinChain", encode_block(stored(network, 1)), channel_id="")
    assert text.startswith(
        f'"JoinChain" for channelID = {CHANNEL} failed because of validation of configuration block, because of '
    )


def test_a_stranger_cannot_ask_a_peer_anything(network: Network) -> None:
    outcome = network.peers[0].answer(network.stranger.signer("mallory", "admin"), "cscc", "GetChannels", channel_id="")
    assert not isinstance(outcome, ProposalResponse)
    assert outcome.message == (
        "error validating proposal: access denied: channel [] creator org unknown, creator is malformed"
    )


def test_the_old_lifecycle_has_no_chaincodes_and_says_so(network: Network, reader: SigningIdentity) -> None:
    for function in ("getchaincodes", "GetChaincodes", "getinstalledchaincodes", "GetInstalledChaincodes"):
        assert parse_legacy_chaincodes(ask(network, reader, "lscc", function)) == ()
    assert DENIED in refused(network, network.client, "lscc", "GetChaincodes")
    assert NOT_ADMIN in refused(network, network.client, "lscc", "GetInstalledChaincodes")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((), "invalid number of arguments to lscc: 0"),
        (("GetChaincodes", "x"), "invalid number of arguments to lscc: 2"),
        (("install", "x"), "invalid function to lscc: install"),
        (("getid", CHANNEL, CHAINCODE), f"could not find chaincode with name '{CHAINCODE}'"),
        (("GetCollectionsConfig", CHAINCODE), f"collections config not defined for chaincode {CHAINCODE}"),
    ],
)
def test_the_old_lifecycle_does_nothing(
    network: Network, reader: SigningIdentity, args: tuple[str, ...], text: str
) -> None:
    assert refused(network, reader, "lscc", *args) == text


def test_a_query_of_the_ledger_reads_and_writes_nothing(network: Network, reader: SigningIdentity) -> None:
    what = proposal(reader, "qscc", "GetChainInfo", CHANNEL)
    peer: Peer = network.peers[0]
    answer = endorsed(peer.endorser.process(signed(what, reader)))
    assert answer.interest == b""
