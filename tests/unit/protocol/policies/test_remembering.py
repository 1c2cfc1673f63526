"""Asked again about the same identities, a policy answers from memory; about any others it decides."""

from collections.abc import Sequence

from privysharing.protocol.codec.msps import encode_serialized_identity
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.policies import SignaturePolicyEvaluator, parse_policy
from privysharing.protocol.policies.policy import DECISIONS_KEPT_MAX, RememberingPolicy
from tests.support.authorities import msp_config, root

TOP = root("a")
MANAGER = MspManager([Msp(msp_config("A", TOP))])
PEER, CLIENT = TOP.issue("peer", "peer"), TOP.issue("client", "client")


class Counting(RememberingPolicy):
    """Takes everybody, and counts how often it was really asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def _decide(self, identities: Sequence[Identity]) -> bool:
        self.asked += 1
        return True


def identity(pem: bytes, manager: MspManager = MANAGER) -> Identity:
    return manager.identity(encode_serialized_identity("A", pem))


def test_the_same_identities_are_decided_once_and_any_others_anew() -> None:
    policy, peer, client = Counting(), identity(PEER.pem), identity(CLIENT.pem)
    for asked, decisions in (([peer], 1), ((peer,), 1), ([peer, client], 2), ([client, peer], 3), ([], 4), ([peer], 4)):
        assert policy.evaluate(asked)
        assert policy.asked == decisions


def test_a_twin_in_other_bytes_is_decided_for_itself() -> None:
    policy = Counting()
    twins = identity(PEER.pem), identity(PEER.pem + b"\n")
    assert twins[0].dedupe_key == twins[1].dedupe_key
    for twin in twins:
        policy.evaluate([twin])
    assert policy.asked == 2


def test_nobody_passes_on_what_was_decided_about_another() -> None:
    policy = SignaturePolicyEvaluator(parse_policy("OR('A.peer')"), MANAGER)
    assert [policy.evaluate([identity(pem)]) for pem in (PEER.pem, CLIENT.pem) * 2] == [True, False] * 2


def test_a_new_configuration_decides_anew() -> None:
    revoked = MspManager([Msp(msp_config("A", TOP, revocation_list=(TOP.revoke(PEER.certificate.serial_number),)))])
    sees = {"before": MANAGER, "after": revoked}
    policies = {when: SignaturePolicyEvaluator(parse_policy("OR('A.peer')"), manager) for when, manager in sees.items()}
    found = {when: manager.deserialize(encode_serialized_identity("A", PEER.pem)) for when, manager in sees.items()}
    for _ in range(2):
        assert {when: policy.evaluate([found[when]]) for when, policy in policies.items()} == {
            "before": True,
            "after": False,
        }


def test_what_is_remembered_has_a_limit() -> None:
    policy, peer = Counting(), identity(PEER.pem)
    for times in range(2 * DECISIONS_KEPT_MAX):
        policy.evaluate([peer] * times)
    assert len(policy._decided) <= DECISIONS_KEPT_MAX
