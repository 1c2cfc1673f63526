"""The refusals that more than one module needs, and the messages that the paper fixes word for word."""

from privysharing.chaincode.errors import ContractError

ACCESS_DENIED = "access denied: not enough permissions"
NOT_ENOUGH_COINS = "stakeholder does not have enough coins"
ALREADY_SHARED = "data already shared"


def access_denied(needed: str) -> ContractError:
    """The one answer to whoever may not: it never says whether what he asked for exists.

    `needed` states the rule alone, so that two refusals of one function are equal to the byte.
    """
    return ContractError("ACCESS_DENIED", ACCESS_DENIED, needed=needed, status=403)


def bad_value(what: str, needed: str, found: str) -> ContractError:
    """An argument that is well-formed but not allowed. `found` repeats the caller's own words, shortened."""
    return ContractError("BAD_VALUE", f"{what} is not allowed", needed=needed, found=found[:80])


def not_enough_coins(needed: int, found: str) -> ContractError:
    return ContractError("NOT_ENOUGH_COINS", NOT_ENOUGH_COINS, needed=f"{needed} coins", found=found, status=402)


def not_available(what: str, needed: str) -> ContractError:
    return ContractError("NOT_AVAILABLE", f"{what} is not available yet", needed=needed, found=what, status=501)
