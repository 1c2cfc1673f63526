"""A broken contract."""

from typing import Final

from tests.simulation.mutants.mutation import Mutant, mutant

ACCESS = "privysharing.contract.access"
COINS = "privysharing.contract.coins"
SHARING = "privysharing.contract.sharing:SharingFunctions"
REQUESTS = "privysharing.contract.requests"
GRANT = "privysharing.contract.grants:Grant"

MUTANTS: Final[tuple[Mutant, ...]] = (
    mutant("A grant never lapses", (f"{GRANT}.covers", "not_before <= moment < not_after", "not_before <= moment")),
    mutant(
        "A grant lapses one instant late",
        (f"{GRANT}.has_ended", "moment_ns >= parse_instant", "moment_ns > 10**9 + parse_instant"),
    ),
    mutant("A grant that was revoked is valid", (f"{GRANT}.covers", "self.status == ACTIVE and", "")),
    mutant("Coins are not used up", (f"{COINS}:spend", "context.delete(key)", "pass")),
    mutant("Change is not given back", (f"{COINS}:pay_from", "outputs.pay(payer, held - amount)", "pass")),
    mutant("One may spend more than one has", (f"{COINS}:pay_from", "if held < amount:", "if held < amount - 1:")),
    mutant("A payment may be minted twice", (f"{COINS}:_new_issue", "if context.get(key) is not None:", "if False:")),
    mutant("An escrow is paid out and stays", (f"{COINS}:take_from_escrow", "context.delete(key)", "pass")),
    mutant("Anybody may share", (f"{ACCESS}:require_owner", "if me != asset_id.owner:", "if False:")),
    mutant(
        "Anybody may read",
        (f"{ACCESS}:require_reader", "if grant is None or not grant.covers(*moments(context)):", "if False:"),
    ),
    mutant("Anybody may mint", (f"{ACCESS}:require_ministry", "if me.msp_id != MINISTRY_MSP_ID:", "if False:")),
    mutant(
        "Anybody of the ministry is its administrator",
        (f"{ACCESS}:require_ministry_admin", "or not _is_admin(context)", ""),
    ),
    mutant(
        "Who declines a request keeps its coins",
        (
            f"{REQUESTS}:close_request",
            "outputs.pay(Party.parse(escrow.payer), escrow.amount)",
            "outputs.pay(asset_id.owner, escrow.amount)",
        ),
    ),
    mutant(
        "A share takes the price from nobody",
        (f"{SHARING}._share_with", "_settle(context, share, request, price)", "pass"),
    ),
    mutant(
        "A deleted asset leaves its readings",
        ("privysharing.contract.deletion:_delete_entries", "context.delete(key)", "pass"),
    ),
    mutant(
        "An expired request can be granted",
        (f"{SHARING}._share_with", "if request.has_expired(*moments(context)):", "if False:"),
    ),
)
