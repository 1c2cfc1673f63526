"""An endorsing peer: proposals to the contract and to every system chaincode, through the real host."""

import json
import random
from collections.abc import Callable, Sequence

from privysharing.contract import PrivySharing
from privysharing.protocol.build import make_transaction, signed
from privysharing.protocol.codec import lifecycle
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.codec.policies import encode_application_policy
from privysharing.protocol.codec.transactions import (
    encode_proposal_response,
    parse_chaincode_action,
    parse_proposal,
    parse_proposal_response_payload,
    parse_signed_proposal,
)
from privysharing.protocol.codes import TxCode
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.system_chaincodes import CSCC, LSCC, QSCC
from privysharing.protocol.transactions import ProposalResponse
from tests.fuzz import messages
from tests.fuzz.material import (
    ADMINS,
    CHAINCODE,
    CHANNEL,
    CLIENT,
    GENESIS,
    NOW_NS,
    ORG1,
    ORG2,
    OTHER_CLIENT,
    PEERS,
    STRANGER,
    genesis,
)
from tests.fuzz.mutate import Mutator, spoilt
from tests.fuzz.oracle import check_told, require
from tests.support import endorsing
from tests.support.endorsing import LiveChannel, LiveChannels, Peer, proposal
from tests.support.endorsing import signed as signed_proposal

READING_CANARY = "canary-reading-77e0"  # what alice measured, and shared with nobody
ASSET = "alice@Org1MSP/pulse"
METRICS_LOOKED_AT = 500  # inputs between two looks
METRICS_BYTES_MAX = 200_000


class Endorsing:
    """SignedProposals. The peer answers or refuses; it never fails, never tells what it should not, keeps nothing."""

    name = "endorser"

    def __init__(self) -> None:
        self._fed = 0
        self._channel = LiveChannel(GENESIS)
        channels = LiveChannels(self._channel)
        self._peers = [_peer(org, channels) for org in (ORG1, ORG2)]
        self._define()
        self._submit(CLIENT, "CreateAsset", "heart_rate", "pulse")
        self._submit(CLIENT, "AddReading", ASSET, json.dumps(READING_CANARY), "bpm")

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        who = chance.choice((CLIENT, OTHER_CLIENT, ADMINS[0], PEERS[0], OTHER_CLIENT, STRANGER))
        chaincode, arguments = self._call(chance)
        channel_id = CHANNEL if chance.random() < 0.9 else ""
        nonce = chance.randbytes(24)
        return spoilt(
            chance,
            mutator,
            lambda hand: messages.signed_proposal(hand, who, chaincode, arguments, nonce, channel_id),
        )

    def feed(self, raw: bytes) -> str:
        peer = self._peers[0]
        self._fed += 1
        if self._fed % METRICS_LOOKED_AT == 0:
            require(len(peer.registry.render()) < METRICS_BYTES_MAX, "what strangers write makes metrics grow")
        transient = self._channel.seen_by(ORG1.msp_id).private_values.transient
        before, kept = self._channel.ledger.height, transient.waiting
        answer = peer.endorser.process(raw)
        require(self._channel.ledger.height == before, "a proposal changed the ledger")
        if isinstance(answer, ProposalResponse):
            told = encode_proposal_response(answer)
            check_told(told)
            require(b"chaincode privysharing failed" not in told, f"the contract failed: {answer.response.message}")
            require(_is_honest(raw) or READING_CANARY.encode() not in told, "a reading went to somebody else")
            if answer.endorsement is not None:
                _check_endorsed(answer)
                return f"endorsed {answer.response.status}"
            require(transient.waiting == kept or answer.response.status < 400, "a refusal kept private values")
            return f"response {answer.response.status}"
        check_told(answer.message)
        require(not answer.internal, "the peer did not know what to do: internal error")
        return "refused"

    def _call(self, chance: random.Random) -> tuple[str, Sequence[bytes]]:
        chaincode = chance.choice((CHAINCODE, CHAINCODE, CHAINCODE, LIFECYCLE, LIFECYCLE, QSCC, CSCC, LSCC, "unknown"))
        if chaincode == LIFECYCLE:
            return chaincode, messages.lifecycle_arguments(chance)
        calls: dict[str, Sequence[Callable[[], Sequence[bytes]]]] = {
            QSCC: (
                lambda: (b"GetChainInfo", CHANNEL.encode()),
                lambda: (b"GetBlockByNumber", CHANNEL.encode(), str(chance.choice((0, 1, 99, -1, 2**64))).encode()),
                lambda: (b"GetTransactionByID", CHANNEL.encode(), b"0" * 64),
                lambda: (b"GetBlockByHash", CHANNEL.encode(), b"h" * 32),
                lambda: (b"GetBlockByTxID", CHANNEL.encode(), b"x"),
            ),
            CSCC: (
                lambda: (b"GetChannels",),
                lambda: (b"GetConfigBlock", CHANNEL.encode()),
                lambda: (b"GetChannelConfig", CHANNEL.encode()),
                lambda: (b"JoinChain", encode_block(genesis())),
            ),
            LSCC: (lambda: (b"GetInstalledChaincodes",), lambda: (b"getccdata", CHANNEL.encode(), b"x")),
        }
        if chaincode in calls:
            return chaincode, chance.choice(calls[chaincode])()
        return chaincode, contract_call(chance)

    def _define(self) -> None:
        parameter = encode_application_policy(parse_policy("AND('Org1MSP.peer', 'Org2MSP.peer')"))
        definition = ChaincodeDefinition(sequence=1, version="1", validation_parameter=parameter)
        for peer, admin in zip(self._peers, ADMINS, strict=True):
            argument = lifecycle.encode_approve_args(CHAINCODE, definition, "")
            self._endorse_and_commit(admin, LIFECYCLE, "ApproveChaincodeDefinitionForMyOrg", argument, peers=[peer])
        argument = lifecycle.encode_definition_args(CHAINCODE, definition)
        self._endorse_and_commit(ADMINS[0], LIFECYCLE, "CommitChaincodeDefinition", argument)

    def _submit(self, who: SigningIdentity, *arguments: str) -> None:
        self._endorse_and_commit(who, CHAINCODE, *arguments)

    def _endorse_and_commit(
        self, who: SigningIdentity, chaincode: str, *arguments: str | bytes, peers: Sequence[Peer] | None = None
    ) -> None:
        what = proposal(who, chaincode, *arguments, channel_id=CHANNEL, timestamp_ns=NOW_NS)
        raw = signed_proposal(what, who)
        answers = [endorsing.endorsed(peer.endorser.process(raw)) for peer in peers or self._peers]
        (code,) = self._channel.commit(signed(make_transaction(what, answers), who).raw)
        assert code is TxCode.VALID, code


def contract_call(chance: random.Random) -> Sequence[bytes]:
    """A function of the contract with arguments of the kinds that it takes, or of another kind."""
    function = chance.choice(list(PrivySharing.functions.values()))
    return [function.name.encode(), *(_argument(chance, str(p.describe()["type"])) for p in function.parameters)]


def _argument(chance: random.Random, kind: str) -> bytes:
    texts = (
        ASSET,
        "bob@Org2MSP",
        "alice@Org1MSP",
        "pulse",
        "heart_rate",
        "2024-01-31T00:00:00Z",
        "",
        "0",
        "*",
        "x" * 300,
    )
    numbers = ("1", "0", "-1", "30", "1e3", "9" * 30, "01", "NaN", "1.5", "true")
    if kind == "integer":
        return chance.choice(numbers).encode()
    if "list" in kind:
        return json.dumps([chance.choice(texts) for _ in range(chance.randrange(4))]).encode()
    if "object" in kind:
        return json.dumps(
            {chance.choice(texts): chance.choice((1, None, "x", [], {}, 1e308)) for _ in range(3)}
        ).encode()
    if "JSON" in kind:
        return chance.choice((b"61", b'"x"', b"null", b"[[[]]]", b"1e400", b'{"a":{"a":1}}', b"-0", b"NaN", b"61.50"))
    return chance.choice(texts).encode()


def _is_honest(raw: bytes) -> bool:
    """Whether alice herself, or whoever may read blocks, asks: they may see what she measured."""
    try:
        creator = parse_proposal(parse_signed_proposal(raw).proposal).header.signature.creator
    except MalformedMessage:
        return True
    return creator in {CLIENT.serialized, PEERS[0].serialized, ADMINS[0].serialized}


def _check_endorsed(answer: ProposalResponse) -> None:
    """What is endorsed can be read again."""
    _, action = parse_proposal_response_payload(answer.payload)
    parse_chaincode_action(action)


def _peer(organisation: object, channels: LiveChannels) -> Peer:
    peer = Peer(organisation, channels, {CHAINCODE: PrivySharing}, clock_ns=lambda: NOW_NS)  # type: ignore[arg-type]
    peer.watchdog.close()  # the run has a time bound of its own
    return peer
