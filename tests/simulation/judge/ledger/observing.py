"""What our peers say, in the judge's own terms. Only this module knows their types."""

import base64
import json
from collections.abc import Iterable

from services.peer.ledger.types import KeyModification, LedgerPort
from services.peer.private_data.store import PrivateStore
from tests.simulation.judge.ledger.comparison import Observation
from tests.simulation.judge.ledger.model import Change, LedgerModel
from tests.simulation.judge.ledger.private import PrivateObservation, ValuePlace
from tests.simulation.judge.ledger.state import Entry, Place, Version
from tests.simulation.judge.operations import Place as TxPlace


def observe(ledger: LedgerPort, model: LedgerModel) -> Observation:
    """All that a ledger holds; of the model, only which keys and ids to ask for. Nothing may be committed meanwhile."""
    with ledger.snapshot() as snapshot:
        height = snapshot.height
        state: dict[Place, Entry] = {
            (entry.namespace, entry.collection or "", entry.key): Entry(
                entry.stored.value,
                (entry.stored.version.block_num, entry.stored.version.tx_num),
                entry.stored.metadata,
            )
            for entry in snapshot.entries()
        }
    found = [ledger.block_bytes(number) for number in range(ledger.height)]
    blocks = [raw for raw in found if raw is not None]
    places = {}
    for tx_id in {tx_id for block in model.blocks for tx_id in block.tx_ids if tx_id}:
        if location := ledger.transaction(tx_id):
            places[tx_id] = TxPlace(location.block_num, location.tx_num, location.code.name)
    names = set(model.keys_with_history()) | {(ns, key) for ns, part, key in state if not part and isinstance(key, str)}
    history = {name: [_change(each) for each in ledger.history(*name)][::-1] for name in names}
    return Observation(height, blocks, state, {name: each for name, each in history.items() if each}, places)


def observe_private(ledger: LedgerPort, private: PrivateStore) -> PrivateObservation:
    """All the private data beside a ledger: the sets of every block, and the value of every hash of the state."""
    sets = {
        (number, index, namespace, collection): found.rwset
        for number in range(ledger.height)
        for (index, namespace, collection), found in private.sets_of_block(number).items()
    }
    values: dict[ValuePlace, tuple[bytes, Version]] = {}
    with ledger.snapshot() as snapshot:
        for entry in snapshot.entries():
            if entry.collection and isinstance(entry.key, bytes):
                found = private.find(entry.namespace, entry.collection, entry.key, entry.stored)
                if found is not None:
                    version = entry.stored.version.block_num, entry.stored.version.tx_num
                    values[entry.namespace, entry.collection, found[0]] = found[1], version
    return PrivateObservation(sets, values)


def state_of_dump(lines: Iterable[str]) -> dict[Place, Entry]:
    """The state as `privy peer dump-state` prints it."""
    state: dict[Place, Entry] = {}
    for line in lines:
        fields = json.loads(line)
        collection = fields.get("collection", "")
        key = base64.b64decode(fields["key"]) if collection else fields["key"]
        block, index = fields["version"]
        value, metadata = (base64.b64decode(fields.get(name, "")) for name in ("value", "metadata"))
        state[fields["namespace"], collection, key] = Entry(value, (block, index), metadata)
    return state


def _change(told: KeyModification) -> Change:
    return Change(told.tx_id, told.is_delete, told.value, told.timestamp_ns)
