"""PrivyCoins: unspent outputs, minted by the Ministry against a payment, never created or lost otherwise.

Each output lies under a key of its own that begins with its holder: nobody finds another's. A transaction names the
outputs that it spends and makes new ones with ids H(transaction id, index), which every endorser computes alike. There
is no balance to read or write, so payers and payees never collide. Always: minted = held + escrowed + burned.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from privysharing.chaincode.canonical import INTEGER_MAX, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.keys import composite_key
from privysharing.contract.access import caller, require_coin_auditor, require_ministry
from privysharing.contract.instants import format_instant, now
from privysharing.contract.names import Party, reference
from privysharing.contract.records import Record, decode, load, store
from privysharing.contract.refusals import bad_value, not_enough_coins

COIN = "coin"  # key: holder, output id
MINT = "mint"  # key: payment reference
BURN = "burn"  # key: payout reference
ESCROW = "escrow"  # key: request id

AMOUNT_MAX = 10**12  # of one mint, transfer or burn
OUTPUTS_SPENT_MAX = 256  # in one transaction
COINS_LISTED_MAX = 1000


@dataclass(frozen=True, slots=True)
class Coin(Record):
    """An unspent output."""

    DOC_TYPE: ClassVar[str] = "coin"

    id: str
    holder: str
    amount: int


@dataclass(frozen=True, slots=True)
class Issue(Record):
    """Coins that came into being (`mint`) or went out of it (`burn`), against one payment or payout in money."""

    DOC_TYPE: ClassVar[str] = "issue"

    reference: str
    party: str
    amount: int
    time: str
    tx_id: str


@dataclass(frozen=True, slots=True)
class Escrow(Record):
    """Coins that a request has set aside: nobody's until the owner shares, or the payer gets them back."""

    DOC_TYPE: ClassVar[str] = "escrow"

    request_id: str
    payer: str
    amount: int


_AmountT = TypeVar("_AmountT", Coin, Issue, Escrow)


class Outputs:
    """Makes the new outputs of one transaction, counting them."""

    __slots__ = ("_context", "_count")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._count = 0

    def pay(self, holder: Party, amount: int) -> None:
        """A new output for a holder. An amount of 0 makes none."""
        if amount:
            coin_id = hashlib.sha256(f"{self._context.tx_id}:{self._count}".encode()).hexdigest()
            self._count += 1
            store(self._context, _coin_key(holder, coin_id), Coin(coin_id, str(holder), amount))


def spend(context: Context, holder: Party, coin_ids: Sequence[str]) -> int:
    """Take a holder's outputs away and return their sum. An output that is not his, or was spent, does not exist."""
    if len(coin_ids) != len(set(coin_ids)) or len(coin_ids) > OUTPUTS_SPENT_MAX:
        raise bad_value("list of coins", f"up to {OUTPUTS_SPENT_MAX} different coin ids", f"{len(coin_ids)} ids")
    total = 0
    for coin_id in coin_ids:
        key = _coin_key(holder, coin_id)
        coin = load(context, Coin, key)
        if coin is None:
            raise ContractError(
                "COIN_NOT_FOUND",
                "a coin is not there to be spent",
                needed="unspent coins of the caller",
                found=coin_id[:80],
                status=404,
            )
        context.delete(key)
        total += coin.amount
    if total > INTEGER_MAX:
        raise bad_value("sum of these coins", f"at most {INTEGER_MAX}", str(total))
    return total


def pay_from(context: Context, payer: Party, coin_ids: Sequence[str], amount: int) -> Outputs:
    """Spend outputs for an amount and give the change back. Pays nobody else yet."""
    held = spend(context, payer, coin_ids)
    if held < amount:
        raise not_enough_coins(amount, f"{held} coins")
    outputs = Outputs(context)
    outputs.pay(payer, held - amount)
    return outputs


def put_in_escrow(context: Context, request_id: str, payer: Party, amount: int) -> None:
    store(context, composite_key(ESCROW, request_id), Escrow(request_id, str(payer), amount))


def take_from_escrow(context: Context, request_id: str) -> Escrow:
    """Take a request's whole escrow away; the caller pays it out."""
    key = composite_key(ESCROW, request_id)
    escrow = load(context, Escrow, key)
    assert escrow is not None, "an open request has its escrow"
    context.delete(key)
    return escrow


class CoinFunctions(Contract):
    @transaction
    def mint_coins(self, context: Context, to: str, amount: int, payment: str) -> JsonValue:
        """Create coins for a party that has paid in money. Only the Ministry, and once for each payment reference."""
        minter = require_ministry(context)
        holder = Party.parse(to)
        issue = _new_issue(context, MINT, payment, holder, amount)
        Outputs(context).pay(holder, amount)
        return {**issue.to_json(), "by": str(minter)}

    @transaction
    def burn_coins(self, context: Context, amount: int, payout: str, coins: Sequence[str]) -> JsonValue:
        """Destroy coins that the Ministry holds, once for each payout in money. Only the Ministry."""
        holder = require_ministry(context)
        issue = _new_issue(context, BURN, payout, holder, amount)
        pay_from(context, holder, coins, amount)
        return issue.to_json()

    @transaction
    def transfer_coins(self, context: Context, to: str, amount: int, coins: Sequence[str]) -> JsonValue:
        """Give coins to a party; change comes back. To oneself it merges small coins into one.

        coins: ids of the caller's unspent coins that pay, as MyCoins lists them.
        """
        payer, payee = caller(context), Party.parse(to)
        _require_amount(amount)
        pay_from(context, payer, coins, amount).pay(payee, amount)
        return {"to": str(payee), "amount": amount}

    @query
    def my_coins(self, context: Context) -> JsonValue:
        """The caller's own unspent coins: their sum, how many, and up to 1000 of them, the largest first."""
        entries = context.by_partial_key(COIN, str(caller(context)))
        coins = sorted((decode(Coin, raw) for _, raw in entries), key=lambda coin: (-coin.amount, coin.id))
        listed: list[JsonValue] = [{"id": coin.id, "amount": coin.amount} for coin in coins[:COINS_LISTED_MAX]]
        return {"total": sum(coin.amount for coin in coins), "count": len(coins), "coins": listed}

    @query
    def audit_coins(self, context: Context) -> JsonValue:
        """Sums over the whole channel, to check that minted = held + escrowed + burned. Nobody's own coins.

        Only an admin, an auditor or the Ministry.
        """
        require_coin_auditor(context)
        held = _sum(context, COIN, Coin)
        escrowed = _sum(context, ESCROW, Escrow)
        minted, burned = _sum(context, MINT, Issue), _sum(context, BURN, Issue)
        return {
            "minted": minted,
            "held": held,
            "escrowed": escrowed,
            "burned": burned,
            "balanced": minted == held + escrowed + burned,
        }


def _coin_key(holder: Party, coin_id: str) -> str:
    try:
        return composite_key(COIN, str(holder), coin_id)
    except ValueError as error:
        raise bad_value("coin id", "an id that MyCoins lists", repr(coin_id)) from error


def _require_amount(amount: int) -> None:
    if not 1 <= amount <= AMOUNT_MAX:
        raise bad_value("amount", f"1 to {AMOUNT_MAX} coins", str(amount))


def _new_issue(context: Context, object_type: str, reference_text: str, party: Party, amount: int) -> Issue:
    """Enter a mint or burn under its reference, once."""
    _require_amount(amount)
    key = composite_key(object_type, reference(f"{object_type} reference", reference_text))
    if context.get(key) is not None:
        raise ContractError(
            "REFERENCE_USED",
            f"this {object_type} reference was used before",
            needed="a reference that is new",
            found=reference_text,
            status=409,
        )
    issue = Issue(reference_text, str(party), amount, format_instant(now(context)), context.tx_id)
    store(context, key, issue)
    return issue


def _sum(context: Context, object_type: str, record_type: type[_AmountT]) -> int:
    return sum(decode(record_type, raw).amount for _, raw in context.by_partial_key(object_type))
