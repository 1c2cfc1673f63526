"""Whether the right endorsers signed what a transaction writes: by key, by collection, by chaincode.

One object judges one block, transaction by transaction in the block's order: where one changes the policy of a key,
later ones of the block fail on that key, since they were endorsed under the old policy.
"""

from collections.abc import Sequence

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.rwsets import UnreadNamespace, metadata_keys, parse_state_metadata, written_keys
from privysharing.protocol.codes import TxCode
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.reading import EndorsedAction
from privysharing.protocol.rwsets import VALIDATION_PARAMETER, HashedKey, PublicKey
from services.peer.validation.policies import ChaincodeRules, EndorsementPolicies
from services.peer.validation.view import StateView

NOTHING_WRITTEN = UnreadNamespace(b"")


class Endorsements:
    """Judges the endorsements of a block's transactions; call `check` in the block's order."""

    def __init__(self, config: ChannelConfig, view: StateView) -> None:
        self._policies = EndorsementPolicies(config, view)
        self._view = view
        self._policy_changed: set[PublicKey | HashedKey] = set()

    def check(self, action: EndorsedAction, endorsers: Sequence[Identity]) -> TxCode:
        """Every namespace that matters by its own policies (plugindispatcher Dispatch, its last loop)."""
        written = action.results.written
        for namespace in action.namespaces:
            rules = self._policies.chaincode(namespace)
            if rules is None:
                return TxCode.INVALID_CHAINCODE
            part = written.get(namespace, NOTHING_WRITTEN)
            if not self._is_endorsed(part, rules, endorsers):
                return TxCode.ENDORSEMENT_POLICY_FAILURE
            # From here on, also if the transaction turns out stale or a duplicate: Fabric knows neither yet.
            if part.has_metadata:
                self._policy_changed.update(metadata_keys(part))
        return TxCode.VALID

    def _is_endorsed(self, part: UnreadNamespace, rules: ChaincodeRules, endorsers: Sequence[Identity]) -> bool:
        """Statebased baseEvaluator Evaluate and checkSBAndCCEP.

        A key's own policy comes before its collection's, that before the chaincode's; each of the latter two is
        asked once. If nothing was written, the chaincode's is. The first policy that is not met ends it, mostly at the
        first key: of what nobody endorsed, however long, no more is looked at.
        """
        if not (part.has_metadata or self._policy_changed or self._view.may_have_metadata(part.namespace)):
            return rules.policy.evaluate(endorsers)  # public keys only, and none has a policy of its own
        seen: set[PublicKey | HashedKey] = set()
        asked: set[str] = set()
        key_policy_asked = False
        for place in written_keys(part):
            if place in seen:
                continue
            seen.add(place)
            if place in self._policy_changed:
                return False
            parameter = self._validation_parameter(place)
            if parameter:
                if not self._policies.key(parameter).evaluate(endorsers):
                    return False
                key_policy_asked = True
                continue
            collection = place[1] if len(place) == 3 else ""
            if collection in asked:
                continue
            policy = self._policies.collection(part.namespace, collection, rules) if collection else rules.policy
            if not policy.evaluate(endorsers):
                return False
            asked.add(collection)
        return key_policy_asked or bool(asked) or rules.policy.evaluate(endorsers)

    def _validation_parameter(self, place: PublicKey | HashedKey) -> bytes:
        """The key's own policy as of before the block (GetValidationParameterForKey); empty when it has none."""
        if not self._view.may_have_metadata(place[0], place[1] if len(place) == 3 else ""):
            return b""
        found = self._view.get(*place) if len(place) == 2 else self._view.get_hashed(*place)
        if found is None or not found.metadata:
            return b""
        return parse_state_metadata(found.metadata).get(VALIDATION_PARAMETER, b"")
