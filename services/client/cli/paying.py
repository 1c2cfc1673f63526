"""Which of one's coins to pay with, and how to say how many."""

from typing import Any


def choose_coins(mine: dict[str, Any], amount: int) -> list[str]:
    """Ids of the fewest of `MyCoins` that reach an amount. All of them when they do not: the contract says it best."""
    chosen: list[str] = []
    total = 0
    for coin in mine["coins"]:  # the largest first
        if total >= amount:
            break
        chosen.append(coin["id"])
        total += coin["amount"]
    return chosen


def coins(number: int) -> str:
    """So many coins, in words."""
    return f"{number} coin{'' if number == 1 else 's'}"
