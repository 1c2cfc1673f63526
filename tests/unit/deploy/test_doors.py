"""Who may do what under the channel configurations that are generated: each door from both sides."""

import pytest

from deploy.certificates import Authority
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.signing import load_signing_identity
from tests.support.generated import GeneratedChannel

READERS = "/Channel/Application/Readers"
WRITERS = "/Channel/Application/Writers"
ENDORSEMENT = "/Channel/Application/Endorsement"
LIFECYCLE_ENDORSEMENT = "/Channel/Application/LifecycleEndorsement"
ORDERER_DELIVER = "/Channel/Readers"
ORDERER_BROADCAST = "/Channel/Writers"
BLOCK_VALIDATION = "/Channel/Orderer/BlockValidation"

ALICE, BOB = ("citizens", "alice"), ("citizens", "bob")
DOCTOR, OFFICER, MINT = ("medical", "doctor"), ("police", "officer"), ("ministry", "mint")
MEDICAL_PEER = ("medical", "peer0.medical.city")
POLICE_PEER = ("police", "peer0.police.city")
CITIZENS_PEER, CITIZENS_SECOND_PEER = ("citizens", "peer0.citizens.city"), ("citizens", "peer1.citizens.city")
MEDICAL_ADMIN, MINISTRY_ADMIN = ("medical", "Admin"), ("ministry", "Admin")
ORDERER = ("ministry", "orderer0.ministry.city")


@pytest.fixture(scope="module")
def demo() -> GeneratedChannel:
    return GeneratedChannel.build("demo")


@pytest.fixture(scope="module")
def interop() -> GeneratedChannel:
    return GeneratedChannel.build("interop")


@pytest.mark.parametrize("client", [ALICE, BOB, DOCTOR, OFFICER])
def test_a_clients_certificate_writes_but_does_not_read_blocks(demo: GeneratedChannel, client: tuple[str, str]) -> None:
    assert demo.satisfies(WRITERS, client)
    assert demo.satisfies(ORDERER_BROADCAST, client)
    assert not demo.satisfies(READERS, client)
    assert not demo.satisfies(ORDERER_DELIVER, client)


@pytest.mark.parametrize("reader", [MEDICAL_PEER, POLICE_PEER, CITIZENS_PEER, CITIZENS_SECOND_PEER, MEDICAL_ADMIN])
def test_peers_and_admins_of_members_read_blocks(demo: GeneratedChannel, reader: tuple[str, str]) -> None:
    assert demo.satisfies(READERS, reader)
    assert demo.satisfies(ORDERER_DELIVER, reader)


def test_the_ministry_writes_as_a_client_only(demo: GeneratedChannel) -> None:
    for person in (MINT, MINISTRY_ADMIN):
        assert demo.satisfies(WRITERS, person)
        assert not demo.satisfies(READERS, person)
        assert not demo.satisfies(ORDERER_DELIVER, person)
    assert not demo.satisfies("/Channel/Application/MinistryMSP/Endorsement", MINISTRY_ADMIN)


def test_a_peer_certificate_of_the_ministry_opens_nothing(demo: GeneratedChannel) -> None:
    ministry = demo.material.organisations["ministry"]
    keys = ministry.ca.identity("peer0.ministry.city", "peer")
    peer = demo.config.msps.identity(
        load_signing_identity(keys.certificate_pem, keys.key_pem, "MinistryMSP").serialized
    )
    for path in (READERS, WRITERS, ORDERER_DELIVER, ENDORSEMENT, "/Channel/Application/MinistryMSP/Endorsement"):
        assert not demo.config.policy(path).evaluate([peer]), path
        assert not demo.config.policy(path).evaluate([peer, peer]), path


def test_two_people_of_the_ministry_together_still_read_nothing(demo: GeneratedChannel) -> None:
    assert not demo.satisfies(READERS, MINT, MINISTRY_ADMIN)


@pytest.mark.parametrize("policy", [ENDORSEMENT, LIFECYCLE_ENDORSEMENT])
def test_peers_of_two_members_are_enough_to_endorse(demo: GeneratedChannel, policy: str) -> None:
    assert demo.satisfies(policy, MEDICAL_PEER, CITIZENS_PEER)
    assert demo.satisfies(policy, POLICE_PEER, MEDICAL_PEER)
    assert not demo.satisfies(policy, MEDICAL_PEER)
    assert not demo.satisfies(policy, CITIZENS_PEER, CITIZENS_SECOND_PEER)
    assert not demo.satisfies(policy, MEDICAL_PEER, MEDICAL_PEER)


def test_clients_and_admins_endorse_nothing(demo: GeneratedChannel) -> None:
    assert not demo.satisfies(ENDORSEMENT, ALICE, DOCTOR, OFFICER)
    assert not demo.satisfies(ENDORSEMENT, MEDICAL_PEER, ("citizens", "Admin"))
    assert not demo.satisfies(ENDORSEMENT, MEDICAL_PEER, MINT)


def test_only_an_orderer_signs_blocks(demo: GeneratedChannel) -> None:
    assert demo.satisfies(BLOCK_VALIDATION, ORDERER)
    for other in (MINT, MINISTRY_ADMIN, MEDICAL_PEER, MEDICAL_ADMIN, ALICE):
        assert not demo.satisfies(BLOCK_VALIDATION, other), other


def test_filtered_events_and_commit_status_are_for_writers_and_the_rest_for_readers(demo: GeneratedChannel) -> None:
    assert {name for name in ("event/FilteredBlock", "gateway/CommitStatus") if demo.config.acl(name) == WRITERS} == {
        "event/FilteredBlock",
        "gateway/CommitStatus",
    }
    closed = ("event/Block", "gateway/ChaincodeEvents", "cscc/GetConfigBlock", "cscc/GetChannelConfig")
    queries = ("GetChainInfo", "GetBlockByNumber", "GetBlockByHash", "GetTransactionByID", "GetBlockByTxID")
    for name in (*closed, *(f"qscc/{query}" for query in queries)):
        assert demo.config.acl(name) == READERS, name
    assert demo.config.acl("peer/Propose") == WRITERS


def test_an_intruder_with_an_authority_of_his_own_is_nobody(demo: GeneratedChannel) -> None:
    forged_root = Authority.root("root.ministry.city", "ministry.city", demo.material.root_ca.now)
    forged = forged_root.intermediate("ca.medical.city", "medical.city").identity("peer0.medical.city", "peer")
    serialized = load_signing_identity(forged.certificate_pem, forged.key_pem, "MedicalMSP").serialized
    with pytest.raises(InvalidIdentity):
        demo.config.msps.identity(serialized)


def test_one_organisations_people_do_not_pass_for_anothers(demo: GeneratedChannel) -> None:
    """All CAs hang below one root; a member's MSP takes certificates of its own CA only."""
    keys = demo.material.organisations["citizens"].users["alice"].identity
    serialized = load_signing_identity(keys.certificate_pem, keys.key_pem, "MedicalMSP").serialized
    with pytest.raises(InvalidIdentity):
        demo.config.msps.identity(serialized)


def test_the_network_root_itself_issues_no_identities(demo: GeneratedChannel) -> None:
    root = demo.material.root_ca
    keys = root.identity("peer0.medical.city", "peer")
    serialized = load_signing_identity(keys.certificate_pem, keys.key_pem, "MedicalMSP").serialized
    with pytest.raises(InvalidIdentity):
        demo.config.msps.identity(serialized)


def test_changing_the_channel_takes_most_organisations_admins(demo: GeneratedChannel) -> None:
    admins = [(org, "Admin") for org in ("medical", "police", "citizens", "ministry")]
    assert demo.satisfies("/Channel/Application/Admins", *admins[:3])
    assert not demo.satisfies("/Channel/Application/Admins", *admins[:2])
    assert not demo.satisfies("/Channel/Admins", *admins[:3])  # the orderers' admin is missing
    assert demo.satisfies("/Channel/Admins", *admins)
    assert not demo.satisfies("/Channel/Application/Admins", ALICE, DOCTOR, OFFICER, MINT)


def test_interop_opens_what_fabric_opens(interop: GeneratedChannel) -> None:
    assert interop.config.acls == {}
    for client in (ALICE, DOCTOR, MINT):
        assert interop.satisfies(READERS, client)
        assert interop.satisfies(WRITERS, client)
        assert interop.satisfies(ORDERER_DELIVER, client)
    assert interop.satisfies(READERS, MEDICAL_PEER)
    assert not interop.satisfies(WRITERS, MEDICAL_PEER)
    assert interop.satisfies(BLOCK_VALIDATION, ORDERER)
    assert not interop.satisfies(BLOCK_VALIDATION, MEDICAL_PEER)


def test_interop_says_a_type_of_ordering_that_fabrics_peers_follow(
    demo: GeneratedChannel, interop: GeneratedChannel
) -> None:
    assert interop.config.orderer.consensus_type == "etcdraft"
    assert demo.config.orderer.consensus_type == "solo"


def test_interop_endorses_as_demo_does(interop: GeneratedChannel) -> None:
    assert interop.satisfies(ENDORSEMENT, MEDICAL_PEER, POLICE_PEER)
    assert not interop.satisfies(ENDORSEMENT, CITIZENS_PEER, CITIZENS_SECOND_PEER)


def test_both_organisations_of_the_yardstick_must_endorse() -> None:
    bench = GeneratedChannel.build("bench-1ch")
    assert bench.satisfies(ENDORSEMENT, MEDICAL_PEER, CITIZENS_PEER)
    assert not bench.satisfies(ENDORSEMENT, MEDICAL_PEER)
