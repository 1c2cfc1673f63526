"""A client that knows Fabric and nothing of ours: PyPI's `hyperledger-fabric-protos`, gRPC, cryptography.

The nodes are those of topology `interop`, whose doors are Fabric's own. Of ours this file uses only the fixture that
starts them, and the paths of keys.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import grpc
import pytest

from tests.support import foreign_client as foreign
from tests.support.foreign_client import Signer
from tests.support.live import LiveNetwork

CHANNEL, CHAINCODE = "health", "privysharing"

configtx: Any = import_module("fabric_protos.common.configtx_pb2")
ledger: Any = import_module("fabric_protos.common.ledger_pb2")
queries: Any = import_module("fabric_protos.peer.query_pb2")
lifecycle: Any = import_module("fabric_protos.peer.lifecycle.lifecycle_pb2")
rwsets: Any = import_module("fabric_protos.ledger.rwset.rwset_pb2")
kv_rwsets: Any = import_module("fabric_protos.ledger.rwset.kvrwset.kv_rwset_pb2")


@dataclass(frozen=True)
class City:
    """Connections to two peers and the orderer, for a user and an admin of the citizens' organisation."""

    peers: tuple[grpc.Channel, grpc.Channel]
    orderer: grpc.Channel
    user: Signer
    admin: Signer
    certificate_hash: bytes

    def seek(self, start: Any, stop: Any) -> Any:
        return foreign.seek(self.user, CHANNEL, start, stop, self.certificate_hash)

    def query(self, who: Signer, channel_id: str, name: str, *args: str | bytes) -> Any:
        """The response of the first peer."""
        proposal = foreign.propose(who, channel_id, name, *args, certificate_hash=self.certificate_hash)
        return foreign.ask(self.peers[0], foreign.signed_proposal(proposal, who)).response

    def invoke(self, *args: str) -> str:
        """Endorse on two peers, order, wait for the verdict: the id of the transaction, which is valid."""
        proposal = foreign.propose(self.user, CHANNEL, CHAINCODE, *args, certificate_hash=self.certificate_hash)
        signed = foreign.signed_proposal(proposal, self.user)
        answers = [foreign.ask(peer, signed) for peer in self.peers]
        assert [answer.response.status for answer in answers] == [200, 200]
        assert answers[0].payload == answers[1].payload
        endorsements = [answer.endorsement for answer in answers]
        assert len({endorsement.endorser for endorsement in endorsements}) == 2
        envelope = foreign.envelope(foreign.transaction(proposal, answers[0].payload, endorsements), self.user)
        (answer,) = foreign.broadcast(self.orderer, envelope)
        assert answer.status == foreign.common.SUCCESS
        request = self.seek(foreign.OLDEST, foreign.at(foreign.NEVER))
        assert foreign.verdicts(self.peers[0], request, proposal.tx_id) == [foreign.transactions.VALID]
        return proposal.tx_id


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    live = LiveNetwork("interop", tmp_path_factory.mktemp("interop") / "network")
    try:
        medical, citizens = (live.node(f"peer0.{org}.city") for org in ("medical", "citizens"))
        with live.dial(citizens) as first, live.dial(medical) as second, live.dial(live.orderer) as orderer:
            alice, admin = live.signer("alice"), live.signer("admin.citizens")
            yield City((first, second), orderer, alice, admin, live.tls("alice").certificate_hash)
    finally:
        live.stop()


@pytest.fixture(scope="module")
def tx_id(city: City) -> str:
    return city.invoke("SetProfile", json.dumps({"written": "by a foreign client"}))


def test_what_was_invoked_can_be_queried(city: City, tx_id: str) -> None:
    assert tx_id
    profile = json.loads(city.query(city.user, CHANNEL, CHAINCODE, "GetProfile").payload)
    assert profile["fields"] == {"written": "by a foreign client"}
    refused = city.query(city.user, CHANNEL, CHAINCODE, "GetProfile", "bob@CitizensMSP")
    assert refused.status >= 400
    assert "access denied" in refused.message


def test_an_envelope_that_another_has_signed_is_not_ordered(city: City) -> None:
    proposal = foreign.propose(city.user, CHANNEL, CHAINCODE, "SetProfile", "{}")
    answer = foreign.ask(city.peers[0], foreign.signed_proposal(proposal, city.user))
    payload = foreign.transaction(proposal, answer.payload, [answer.endorsement])
    (refused,) = foreign.broadcast(city.orderer, foreign.envelope(payload, city.admin))
    assert refused.status == foreign.common.FORBIDDEN


def test_qscc_tells_what_is_on_the_ledger(city: City, tx_id: str) -> None:
    info = ledger.BlockchainInfo.FromString(city.query(city.user, CHANNEL, "qscc", "GetChainInfo", CHANNEL).payload)
    by_number = city.query(city.user, CHANNEL, "qscc", "GetBlockByNumber", CHANNEL, str(info.height - 1))
    newest = foreign.common.Block.FromString(by_number.payload)
    assert newest.header.number == info.height - 1
    assert newest.header.previous_hash == info.previousBlockHash
    by_hash = city.query(city.user, CHANNEL, "qscc", "GetBlockByHash", CHANNEL, info.currentBlockHash)
    by_tx = city.query(city.user, CHANNEL, "qscc", "GetBlockByTxID", CHANNEL, tx_id)
    assert by_hash.payload == by_number.payload
    assert tx_id in [id_of(raw) for raw in foreign.common.Block.FromString(by_tx.payload).data.data]
    missing = city.query(city.user, CHANNEL, "qscc", "GetBlockByNumber", CHANNEL, str(info.height))
    assert (missing.status, missing.payload) == (500, b"")


def test_a_transaction_can_be_read_down_to_its_writes(city: City, tx_id: str) -> None:
    answer = city.query(city.user, CHANNEL, "qscc", "GetTransactionByID", CHANNEL, tx_id)
    processed = foreign.transactions.ProcessedTransaction.FromString(answer.payload)
    assert processed.validationCode == foreign.transactions.VALID
    payload = foreign.common.Payload.FromString(processed.transactionEnvelope.payload)
    (action,) = foreign.transactions.Transaction.FromString(payload.data).actions
    endorsed = foreign.transactions.ChaincodeActionPayload.FromString(action.payload).action
    response = foreign.proposal_responses.ProposalResponsePayload.FromString(endorsed.proposal_response_payload)
    results = rwsets.TxReadWriteSet.FromString(foreign.proposals.ChaincodeAction.FromString(response.extension).results)
    writes = {
        (ns.namespace, write.key): write.value
        for ns in results.ns_rwset
        for write in kv_rwsets.KVRWSet.FromString(ns.rwset).writes
    }
    assert any(ns == CHAINCODE and b"by a foreign client" in value for (ns, _), value in writes.items())


def id_of(raw: bytes) -> str:
    payload = foreign.common.Payload.FromString(foreign.common.Envelope.FromString(raw).payload)
    return str(foreign.common.ChannelHeader.FromString(payload.header.channel_header).tx_id)


def test_cscc_and_lifecycle_answer(city: City) -> None:
    joined = queries.ChannelQueryResponse.FromString(city.query(city.user, "", "cscc", "GetChannels").payload)
    assert [each.channel_id for each in joined.channels] == [CHANNEL]
    argument = lifecycle.QueryChaincodeDefinitionsArgs().SerializeToString()
    answer = city.query(city.user, CHANNEL, "_lifecycle", "QueryChaincodeDefinitions", argument)
    (definition,) = lifecycle.QueryChaincodeDefinitionsResult.FromString(answer.payload).chaincode_definitions
    assert (definition.name, definition.sequence, definition.version) == (CHAINCODE, 1, "1.0")
    argument = lifecycle.QueryChaincodeDefinitionArgs(name=CHAINCODE).SerializeToString()
    answer = city.query(city.user, CHANNEL, "_lifecycle", "QueryChaincodeDefinition", argument)
    approvals = lifecycle.QueryChaincodeDefinitionResult.FromString(answer.payload).approvals
    assert all(approvals[msp_id] for msp_id in ("CitizensMSP", "MedicalMSP", "PoliceMSP"))
    argument = lifecycle.QueryChaincodeDefinitionArgs(name="nothing").SerializeToString()
    missing = city.query(city.user, CHANNEL, "_lifecycle", "QueryChaincodeDefinition", argument)
    assert (missing.status, missing.payload) == (404, b"")
    assert "namespace nothing is not defined" in missing.message


@pytest.mark.parametrize("fetch", [foreign.ordered_blocks, foreign.stored_blocks], ids=["orderer", "peer"])
def test_the_configuration_is_fetched_as_fabrics_tools_do(city: City, fetch: Callable[..., Iterator[Any]]) -> None:
    """The newest block says which one configured the channel last; cscc gives the same."""
    node = city.orderer if fetch is foreign.ordered_blocks else city.peers[0]
    newest, end = fetch(node, city.seek(foreign.NEWEST, foreign.NEWEST))
    assert end.status == foreign.common.SUCCESS
    signed = foreign.common.Metadata.FromString(newest.block.metadata.metadata[0])
    number = foreign.common.OrdererBlockMetadata.FromString(signed.value).last_config.index
    configured, _ = fetch(node, city.seek(foreign.at(number), foreign.at(number)))
    payload = foreign.common.Payload.FromString(
        foreign.common.Envelope.FromString(configured.block.data.data[0]).payload
    )
    assert foreign.common.ChannelHeader.FromString(payload.header.channel_header).type == foreign.common.CONFIG
    config = configtx.ConfigEnvelope.FromString(payload.data).config
    assert set(config.channel_group.groups["Application"].groups) >= {"CitizensMSP", "MedicalMSP", "PoliceMSP"}
    by_cscc = city.query(city.admin, CHANNEL, "cscc", "GetConfigBlock", CHANNEL)
    assert foreign.common.Block.FromString(by_cscc.payload).data == configured.block.data
    (refused,) = fetch(node, city.seek(foreign.at(10**6), foreign.at(10**6)))
    assert refused.status == foreign.common.NOT_FOUND
