"""Contracts write and read private data: who may, what everybody sees of it, and what is refused."""

import hashlib
from collections.abc import Iterator, Mapping

import pytest

from privysharing.chaincode.stub import Stub
from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.interests import parse_interest
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.codes import TxCode
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.interests import ChaincodeCall
from privysharing.protocol.policies import parse_policy
from privysharing.protocol.transactions import ProposalResponse, Response
from services.peer.endorsement.stages import Outcome
from tests.support.endorsing import CHAINCODE, CHANNEL, Network, Peer, endorsed, proposal, signed
from tests.support.oracle_chaincode import FUNCTIONS, OracleChaincode

SECRET = b"0.8 per mille"
BOTH = encode_signature_policy(parse_policy("OR('Org1MSP.member', 'Org2MSP.member')"))
ORG1 = encode_signature_policy(parse_policy("OR('Org1MSP.member')"))
COLLECTIONS = (
    CollectionConfig(name="both", member_orgs_policy=BOTH),
    CollectionConfig(name="org1", member_orgs_policy=ORG1),
    CollectionConfig(name="closed", member_orgs_policy=ORG1, member_only_read=True, member_only_write=True),
    CollectionConfig(name="spread", member_orgs_policy=BOTH, required_peer_count=1, maximum_peer_count=1),
)


class PrivateContract:
    """The oracle's functions, reads and ranges that return what they find, and one that fails after it wrote."""

    def invoke(self, stub: Stub) -> Response:
        function, *arguments = (argument.decode() for argument in stub.args)
        if function == "getpriv":
            return Response(200, payload=stub.get_private(*arguments) or b"-")
        if function == "rangepriv":
            found = list(stub.get_private_range(*arguments))
            return Response(200, payload=b",".join(key.encode() + b"=" + value for key, value in found))
        if function == "rangeandwrite":
            list(stub.get_private_range("both", "", ""))
            stub.put_state("k", b"v")
        if function == "writeandrange":
            stub.put_state("k", b"v")
            list(stub.get_private_range("both", "", ""))
        if function == "putandfail":
            FUNCTIONS["putpriv"](stub, arguments)
            return Response(400, "no")
        if function == "writenothing":
            stub.put_private("both", "k", b"")
        return OracleChaincode().invoke(stub)


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network({CHAINCODE: PrivateContract})
    policy = "OR('Org1MSP.peer', 'Org2MSP.peer')"
    made.define(collections=encode_collections(COLLECTIONS), validation_parameter=application_policy(policy))
    yield made
    made.close()


def application_policy(policy: str) -> bytes:
    return encode_application_policy(parse_policy(policy))


def put(network: Network, collection: str, key: str, value: bytes = SECRET) -> TxCode:
    return network.submit(
        network.client, CHAINCODE, "putpriv", collection, key, peers=[network.peers[0]], transient={"value": value}
    )


def message(outcome: Outcome) -> str:
    assert isinstance(outcome, ProposalResponse)
    assert outcome.endorsement is None
    return outcome.response.message


def ask(network: Network, peer: int, *args: str, transient: Mapping[str, bytes] | None = None) -> Outcome:
    return network.peers[peer].answer(network.client, CHAINCODE, *args, transient=transient)


def payload(outcome: Outcome) -> bytes:
    return endorsed(outcome).response.payload


def test_members_read_what_was_written_and_everybody_its_hash(network: Network) -> None:
    assert put(network, "both", "k") is TxCode.VALID
    assert put(network, "org1", "k") is TxCode.VALID
    for peer in (0, 1):
        assert payload(ask(network, peer, "getpriv", "both", "k")) == SECRET
        assert payload(ask(network, peer, "hashpriv", "org1", "k")) == hashlib.sha256(SECRET).hexdigest().encode()
    assert payload(ask(network, 0, "getpriv", "org1", "k")) == SECRET
    block = network.channel.ledger.block_bytes(network.channel.ledger.height - 1)
    assert block is not None
    assert SECRET not in block


def test_a_peer_that_is_no_member_has_no_value_to_show(network: Network) -> None:
    put(network, "org1", "k")
    height = network.channel.ledger.height - 1
    assert message(ask(network, 1, "getpriv", "org1", "k")) == (
        "error in simulation: transaction returned with failure: private data matching public hash version is not "
        f"available. Public hash version = {{BlockNum: {height}, TxNum: 0}}, Private data version = <nil>"
    )
    assert payload(ask(network, 1, "getpriv", "org1", "another")) == b"-"


def test_deleted_and_purged_values_are_gone_for_readers(network: Network) -> None:
    for key, function in (("d", "delpriv"), ("p", "purgepriv")):
        put(network, "both", key)
        assert network.submit(network.client, CHAINCODE, function, "both", key) is TxCode.VALID
        assert payload(ask(network, 0, "getpriv", "both", key)) == b"-"
        assert payload(ask(network, 0, "hashpriv", "both", key)) == b""


def test_a_read_of_a_value_that_was_written_meanwhile_is_stale(network: Network) -> None:
    put(network, "both", "k")
    what = proposal(network.client, CHAINCODE, "rmwpriv", "both", "k", "!")
    answers = [endorsed(peer.endorser.process(signed(what, network.client))) for peer in network.peers]
    assert network.submit(network.client, CHAINCODE, "rmwpriv", "both", "k", "+") is TxCode.VALID
    assert network.commit(what, answers) is TxCode.MVCC_READ_CONFLICT
    assert payload(ask(network, 1, "getpriv", "both", "k")) == SECRET + b"+"


def test_implicit_collections_are_there_for_every_chaincode_and_their_organisation_alone(network: Network) -> None:
    assert put(network, "_implicit_org_Org1MSP", "k") is TxCode.VALID
    assert payload(ask(network, 0, "getpriv", "_implicit_org_Org1MSP", "k")) == SECRET
    assert "is not available" in message(ask(network, 1, "getpriv", "_implicit_org_Org1MSP", "k"))
    assert put(network, "_implicit_org_Org1MSP", "k2") is TxCode.VALID
    foreign = network.submit(
        network.client,
        CHAINCODE,
        *("putpriv", "_implicit_org_Org2MSP", "k"),
        peers=[network.peers[0]],
        transient={"value": SECRET},
    )
    assert foreign is TxCode.ENDORSEMENT_POLICY_FAILURE
    assert message(ask(network, 0, "hashpriv", "_implicit_org_Org9MSP", "k")).endswith(
        f"collection [_implicit_org_Org9MSP] not defined in the collection config for chaincode [{CHAINCODE}]"
    )


@pytest.mark.parametrize("function", ["getpriv", "putpriv", "delpriv", "purgepriv"])
def test_a_collection_that_is_not_defined_is_refused(network: Network, function: str) -> None:
    refused = message(ask(network, 0, function, "other", "k", transient={"value": SECRET}))
    assert refused.endswith(f"failure: collection {CHANNEL}/{CHAINCODE}/other could not be found")


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("getpriv", "closed", "k"), "read"),
        (("rangepriv", "closed", "", ""), "read"),
        (("putpriv", "closed", "k"), "write"),
        (("delpriv", "closed", "k"), "write"),
        (("purgepriv", "closed", "k"), "write"),
        (("setvppriv", "closed", "k"), "write"),
    ],
)
def test_only_members_read_and_write_where_the_collection_says_so(
    network: Network, args: tuple[str, ...], what: str
) -> None:
    put(network, "closed", "k")
    stranger = network.org2.signer("user2", "client")
    transient = {"value": SECRET}
    refused = network.peers[0].answer(stranger, CHAINCODE, *args, transient=transient)
    assert message(refused).endswith(
        f"tx creator does not have {what} access permission on privatedata in chaincodeName:{CHAINCODE} "
        "collectionName: closed"
    )
    endorsed(ask(network, 0, *args, transient=transient))
    anybody = [arg.replace("closed", "org1") for arg in args]
    if what == "write":
        endorsed(network.peers[0].answer(stranger, CHAINCODE, *anybody, transient=transient))


def test_hashes_are_for_everybody_also_where_values_are_for_members(network: Network) -> None:
    put(network, "closed", "k")
    stranger = network.org2.signer("user2", "client")
    answer = network.peers[1].answer(stranger, CHAINCODE, "hashpriv", "closed", "k")
    assert payload(answer) == hashlib.sha256(SECRET).hexdigest().encode()


def test_ranges_are_sorted_by_key_and_end_before_their_end(network: Network) -> None:
    for key in ("b", "a", "c", "\u00e4"):
        put(network, "both", key, key.encode())
    assert payload(ask(network, 1, "rangepriv", "both", "", "")) == "a=a,b=b,c=c,ä=ä".encode()
    assert payload(ask(network, 1, "rangepriv", "both", "b", "c")) == b"b=b"
    assert payload(ask(network, 1, "rangepriv", "both", "x", "y")) == b""


def test_a_transaction_that_writes_asks_for_no_private_range(network: Network) -> None:
    refused = message(ask(network, 0, "writeandrange"))
    assert "unsuppored transaction. Queries on pvt data is supported only in a read-only transaction" in refused
    refused = message(ask(network, 0, "rangeandwrite"))
    assert "Transaction has already performed queries on pvt data. Writes are not allowed" in refused


def test_a_range_over_what_is_incomplete_here_says_how_much_is_missing(network: Network) -> None:
    put(network, "both", "a")
    put(network, "both", "b")
    network.channel.lose_private_data("Org2MSP")
    network.peers[1] = Peer(network.org2, network.channels, {CHAINCODE: PrivateContract})
    refused = message(ask(network, 1, "rangepriv", "both", "", ""))
    assert refused.endswith(
        "private data of collection both is incomplete on this peer: it lacks what 2 transactions wrote"
    )
    store = network.channel.seen_by("Org2MSP").private_values
    assert store.missing_count() == {(CHAINCODE, "both"): 2, ("_lifecycle", "_implicit_org_Org2MSP"): 1}
    put(network, "both", "a", b"again")  # what nobody needs any more is not missed
    assert "it lacks what 1 transactions wrote" in message(ask(network, 1, "rangepriv", "both", "", ""))


def test_too_few_peers_to_spread_to_is_a_refusal_and_nothing_is_kept(network: Network) -> None:
    transient = network.channel.seen_by("Org1MSP").private_values.transient
    refused = message(ask(network, 0, "putpriv", "spread", "k", transient={"value": SECRET}))
    assert refused == (
        "error in simulation: required to disseminate to at least 1 peers, but know of only 0 eligible peers"
    )
    assert transient.waiting == 0


def test_what_a_refused_call_wrote_is_not_kept(network: Network) -> None:
    transient = network.channel.seen_by("Org1MSP").private_values.transient
    assert message(ask(network, 0, "putandfail", "both", "k", transient={"value": SECRET})) == "no"
    assert transient.waiting == 0
    endorsed(ask(network, 0, "putpriv", "both", "k", transient={"value": SECRET}))
    assert transient.waiting == 1


def test_an_empty_private_value_is_refused_as_a_public_one_is(network: Network) -> None:
    assert "chaincode kv failed" in message(ask(network, 0, "writenothing"))


def test_an_initialising_chaincode_has_no_private_data() -> None:
    network = Network({CHAINCODE: PrivateContract})
    network.define(collections=encode_collections(COLLECTIONS), init_required=True)
    refused = network.peers[0].answer(
        network.client, CHAINCODE, "putpriv", "both", "k", is_init=True, transient={"value": SECRET}
    )
    assert message(refused).endswith("private data APIs are not allowed in chaincode Init()")
    network.close()


def test_key_level_policies_are_read_back_and_endorsers_of_such_keys_are_named(network: Network) -> None:
    put(network, "both", "k")
    assert payload(ask(network, 0, "getvp", "nothing")) == b""
    network.submit(network.client, CHAINCODE, "put", "k", "v")
    assert network.submit(network.client, CHAINCODE, "setvp", "k", "Org2MSP") is TxCode.VALID
    policy = bytes.fromhex(payload(ask(network, 0, "getvp", "k")).decode())
    answer = endorsed(ask(network, 0, "put", "k", "w"))
    assert parse_interest(answer.interest).calls == (
        ChaincodeCall(CHAINCODE, key_policies=(policy,), disregard_namespace_policy=True),
    )
    only_org1 = network.submit(network.client, CHAINCODE, "put", "k", "w", peers=[network.peers[0]])
    assert only_org1 is TxCode.ENDORSEMENT_POLICY_FAILURE
    assert network.submit(network.client, CHAINCODE, "put", "k", "w", peers=[network.peers[1]]) is TxCode.VALID


def test_an_interest_says_which_collections_were_read_and_written(network: Network) -> None:
    put(network, "both", "k")
    interests = {
        args: parse_interest(endorsed(ask(network, 0, *args, transient={"value": SECRET})).interest).calls
        for args in (
            ("putpriv", "org1", "n"),
            ("rmwpriv", "both", "k", "x"),
            ("getpriv", "both", "k"),
            ("hashpriv", "both", "k"),
        )
    }
    assert interests == {
        ("putpriv", "org1", "n"): (ChaincodeCall(CHAINCODE, ("org1",), no_private_reads=True),),
        ("rmwpriv", "both", "k", "x"): (ChaincodeCall(CHAINCODE, ("both",)),),
        ("getpriv", "both", "k"): (ChaincodeCall(CHAINCODE), ChaincodeCall(CHAINCODE, ("both",))),
        ("hashpriv", "both", "k"): (ChaincodeCall(CHAINCODE),),
    }
