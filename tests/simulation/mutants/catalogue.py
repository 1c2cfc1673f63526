"""Every mutant, by room, in the order in which a transaction walks through them."""

from typing import Final

from tests.simulation.mutants import contract, ledger, ordering, peering, private_data, sdk, validation
from tests.simulation.mutants.mutation import Mutant

MUTANTS: Final[dict[str, Mutant]] = {
    mutant.name: mutant
    for room in (ordering, ledger, private_data, validation, peering, sdk, contract)
    for mutant in room.MUTANTS
}
