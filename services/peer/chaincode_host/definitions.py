"""Which chaincodes a channel has defined, and whether this peer may run them (lifecycle/endorsement_info.go)."""

from privysharing.protocol.collections import implicit_collection
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.protocol.lifecycle_state import (
    NAMESPACES,
    LifecycleError,
    mismatches,
    parameters_structure,
    private_name,
    read_definition,
    sequence_key,
)
from privysharing.protocol.rwsets import Version
from privysharing.protocol.system_chaincodes import LSCC, SYSTEM_CHAINCODE_VERSION, SYSTEM_CHAINCODES
from privysharing.protocol.values import value
from services.peer.chaincode_host.errors import ChaincodeError
from services.peer.chaincode_host.simulator import State, TxSimulator, get_hash_of, get_of


@value
class ChaincodeInfo:
    """What is needed to run and endorse a chaincode."""

    name: str
    version: str
    init_required: bool = False


@value
class _Found:
    """A definition that our organisation approved."""

    info: ChaincodeInfo
    key: str  # of the definition's sequence
    version: Version  # of that key
    height: int  # at which the key was last seen to have it


class Definitions:
    """Looks definitions up in simulations, so that their read sets say which definition they rest on."""

    def __init__(self, msp_id: str) -> None:
        self._approvals = implicit_collection(msp_id)
        # An approval of a committed sequence is never taken back, so what was found once holds for as long as the
        # sequence key has the same version; and that cannot change at one height.
        self._approved: dict[tuple[str, str], _Found] = {}

    def find(self, channel_id: str, name: str, simulator: TxSimulator | None) -> ChaincodeInfo:
        """A chaincode that this peer may run. Raises ChaincodeError."""
        if name in SYSTEM_CHAINCODES:
            return ChaincodeInfo(name, SYSTEM_CHAINCODE_VERSION)
        if simulator is None:
            raise ChaincodeError(f"could not get channel config for channel '{channel_id}'")
        known = self._approved.get((channel_id, name))
        height = simulator.state.height
        if known is not None and known.height == height:
            simulator.saw(LIFECYCLE, known.key, known.version)
            return known.info
        key = sequence_key(name)
        sequence = simulator.read(LIFECYCLE, key)
        if sequence is None:
            raise _undefined(name, simulator)
        if known is not None and known.version == sequence.version:
            info = known.info
        else:
            info = self._approved_info(channel_id, name, simulator.state)
        self._approved[channel_id, name] = _Found(info, key, sequence.version, height)
        return info

    def _approved_info(self, channel_id: str, name: str, state: State) -> ChaincodeInfo:
        """Not recorded in the read set: a Fabric peer knows this from a cache."""
        try:
            definition = read_definition(get_of(state, LIFECYCLE), name)
        except LifecycleError as error:
            raise ChaincodeError(f"chaincode {name} has no usable definition: {error}") from error
        if definition is None:
            raise ChaincodeError(f"chaincode {name} not found")
        if not self._approves(definition, name, state):
            raise ChaincodeError(
                f"chaincode definition for '{name}' at sequence {definition.sequence} on channel '{channel_id}' has "
                "not yet been approved by this org"
            )
        return ChaincodeInfo(name, definition.version, definition.init_required)

    def _approves(self, definition: ChaincodeDefinition, name: str, state: State) -> bool:
        approved_name = private_name(name, definition.sequence)
        get_hash = get_hash_of(state, LIFECYCLE, self._approvals)
        return not mismatches(get_hash, NAMESPACES, approved_name, parameters_structure(definition))


def _undefined(name: str, simulator: TxSimulator) -> ChaincodeError:
    """The 1.x lifecycle's table is asked before a chaincode counts as unknown: that read is in the read set."""
    if simulator.get(LSCC, name) is None:
        return ChaincodeError(f"chaincode {name} not found")
    return ChaincodeError(f"chaincode {name} was defined by the lifecycle of Fabric 1.x, which this peer cannot run")
