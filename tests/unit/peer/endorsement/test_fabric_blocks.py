"""What real Fabric peers endorsed, simulated again: the same bytes must come out."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from privysharing.chaincode.stub import Stub
from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.private_sets import parse_private_set
from privysharing.protocol.codec.transactions import (
    encode_proposal,
    parse_chaincode_action,
    parse_endorser_transaction,
    parse_proposal,
)
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.transactions import ChaincodeAction, Proposal, Response
from services.peer.access import AccessControl
from services.peer.chaincode_host.contracts import Contracts
from services.peer.chaincode_host.definitions import Definitions
from services.peer.chaincode_host.guard import ExecutionGuard
from services.peer.chaincode_host.host import ChaincodeHost
from services.peer.chaincode_host.metrics import ChaincodeMetrics
from services.peer.chaincode_host.ports import Contract
from services.peer.chaincode_host.simulator import SimulationLimits, State, TxSimulator
from services.peer.chaincode_host.transaction import Transaction
from services.peer.chaincode_host.watchdog import Watchdog
from services.peer.private_data.collections import Collections
from services.peer.system_chaincodes import system_chaincodes
from services.runtime.metrics import Registry
from tests.support.oracle_chaincode import FUNCTIONS, OracleChaincode
from tests.support.oracle_private import sent_in_private
from tests.support.private import Values
from tests.support.vectors import VectorChannel, channels, large_network, small_network

# Beyond block 104 the large network's transactions were crafted, not endorsed.
HONEST_BLOCKS = 105
# How many blocks may have been committed between an endorsement and its transaction's block.
STALENESS_MAX = 6
LIFECYCLE_FUNCTIONS = frozenset({"ApproveChaincodeDefinitionForMyOrg", "CommitChaincodeDefinition"})

Contracts_ = Mapping[str, Callable[[], Contract]]


class GoTwin:
    """The Go chaincode of the small network, in Python."""

    def invoke(self, stub: Stub) -> Response:
        function, *arguments = (argument.decode() for argument in stub.args)
        if function == "put":
            stub.put_state(arguments[0], arguments[1].encode())
            return Response(200, payload=b"ok")
        if function == "rmw":
            stub.put_state(arguments[0], (stub.get_state(arguments[0]) or b"") + b"x")
            return Response(200, payload=b"rmw")
        keys = ",".join(f'"{key}"' for key, _ in stub.get_range(arguments[0], arguments[1]))
        stub.put_state("rangeres", f"[{keys}]".encode())
        return Response(200, payload=f"[{keys}]".encode())


class OneChannel:
    def __init__(self, channel: VectorChannel) -> None:
        self.channel = channel

    def get(self, channel_id: str) -> VectorChannel | None:
        return self.channel if channel_id == self.channel.config.channel_id else None

    def ids(self) -> list[str]:
        return [self.channel.config.channel_id]

    def join(self, genesis: Block) -> None:
        raise AssertionError("nobody joins")


class Resimulator:
    """A peer of the creator's organisation, that simulates on any earlier state."""

    def __init__(self, contracts: Contracts_) -> None:
        self._contracts = contracts
        self._values = Values()
        self._watchdog = Watchdog()

    def simulate(self, proposal: Proposal, channel: VectorChannel, state: State) -> tuple[Response, bytes, str]:
        creator = channel.config.msps.identity(proposal.header.signature.creator)
        host = self._host(channel, creator.msp_id)
        simulator = TxSimulator(state, Collections(state, channel.config), self._values)
        transaction = Transaction(proposal, creator, channel, simulator, channel.config.channel_id)
        info = host.info(transaction, proposal.chaincode.name)
        response, _ = host.execute(transaction, info, proposal.input)
        results = simulator.results()
        for private in results.private:
            self._values.add((write.key, write.value) for write in parse_private_set(private.rwset).writes)
        return response, results.public, info.version

    def close(self) -> None:
        self._watchdog.close()

    def _host(self, channel: VectorChannel, msp_id: str) -> ChaincodeHost:
        org = next(org for org in channel.config.application_orgs.values() if org.msp_id == msp_id)
        access, one = AccessControl(Msp(org.msp)), OneChannel(channel)
        return ChaincodeHost(
            contracts=Contracts(self._contracts),
            system=system_chaincodes(one, access, msp_id),
            definitions=Definitions(msp_id),
            channels=one,
            access=access,
            guard=ExecutionGuard(self._watchdog, 30.0, 1 << 30),
            metrics=ChaincodeMetrics(Registry()),
            limits=SimulationLimits(),
        )


@pytest.fixture
def resimulate() -> Iterator[Callable[[Contracts_], Resimulator]]:
    made: list[Resimulator] = []

    def make(contracts: Contracts_) -> Resimulator:
        made.append(Resimulator(contracts))
        return made[-1]

    yield make
    for each in made:
        each.close()


def endorsed(block: Block) -> Iterator[tuple[Proposal, ChaincodeAction]]:
    """The proposals behind a block's transactions, which hold all but transient data, and what was endorsed."""
    for raw in block.data:
        payload = parse_payload(parse_envelope(raw).payload)
        if payload.header.channel.type != HeaderType.ENDORSER_TRANSACTION:
            continue
        transaction = parse_endorser_transaction(payload.data)
        header = payload.header
        proposal = parse_proposal(
            encode_proposal(header.channel_bytes, header.signature_bytes, transaction.proposal_payload)
        )
        value = sent_in_private(block.header.number, proposal.input.args)
        if value is not None:
            proposal = replace(proposal, transient={"value": value})
        yield proposal, parse_chaincode_action(transaction.action_bytes)


def test_simulating_a_definition_and_its_chaincode_gives_fabrics_bytes(
    resimulate: Callable[[Contracts_], Resimulator],
) -> None:
    resimulator = resimulate({"kv": GoTwin})
    blocks = small_network()
    seen = []
    for number, channel in enumerate(channels(blocks), start=1):
        if number == len(blocks):
            break
        ((proposal, action),) = endorsed(blocks[number])
        assert action.chaincode is not None
        expected = (action.response, action.results, action.chaincode.version)
        assert resimulator.simulate(proposal, channel, channel.ledger.snapshot()) == expected
        seen.append(proposal.input.args[0].decode())
    assert seen == ["ApproveChaincodeDefinitionForMyOrg", "CommitChaincodeDefinition", "put", "rmw", "range"]


def test_everything_that_a_contract_can_do_gives_fabrics_bytes(
    resimulate: Callable[[Contracts_], Resimulator],
) -> None:
    """Ranges of every size and consumption, calls between chaincodes, deletes, events, upgrades, stale reads.

    And private writes, reads, deletes and purges, and key-level policies of public and private keys.
    """
    resimulator = resimulate(dict.fromkeys(("oracle", "callee", "initcc"), OracleChaincode))
    blocks = large_network()
    states: list[tuple[VectorChannel, State]] = []
    checked: Counter[str] = Counter()
    replayed: set[str] = set()
    for number, channel in enumerate(channels(blocks[:HONEST_BLOCKS]), start=1):
        states = [(channel, channel.ledger.snapshot()), *states[:STALENESS_MAX]]
        if number == HONEST_BLOCKS:
            break
        for proposal, action in endorsed(blocks[number]):
            function = proposal.input.args[0].decode() if proposal.input.args else ""
            if function not in FUNCTIONS.keys() | LIFECYCLE_FUNCTIONS or proposal.input.is_init:
                continue  # Go's Init is a method of its own
            if (tx_id := proposal.header.channel.tx_id) in replayed:
                continue
            replayed.add(tx_id)
            assert action.chaincode is not None
            expected = (action.response, action.results, action.chaincode.version)
            came_out = (resimulator.simulate(proposal, where, state) for where, state in states)
            assert expected in came_out, (number, function)
            checked[function] += 1
    assert checked.keys() >= LIFECYCLE_FUNCTIONS | (
        FUNCTIONS.keys() - {"get", "fail", "getvp"}
    )  # two are called by `call`, and the last left no transaction
    assert checked.total() > 100
