"""What differs between assets by their confidentiality: how values are sent, who is asked for them, what is purged.

Private values travel in the transient field, with random keys and salts, to peers that hold the collection.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from privysharing.contract.assets import PRIVATE
from privysharing.contract.critical import CRITICAL
from privysharing.contract.private_readings import TRANSIENT
from privysharing.sdk import Contract

Reading = Mapping[str, Any]  # value, unit, and perhaps time


async def asset_of(contract: Contract, asset: str) -> dict[str, Any]:
    """An asset without its readings, whatever its confidentiality."""
    found: dict[str, Any] = json.loads(await contract.evaluate("GetAsset", asset))
    return found


async def add_readings(contract: Contract, asset: str, *readings: Reading) -> bytes:
    """Add readings to one's own asset; the contract's answer. No value is sent before its asset's level is known."""
    if (await asset_of(contract, asset))["confidentiality"] == PRIVATE:
        transient = {TRANSIENT: contract.salted(*readings)}
        receipt = await contract.submit("AddPrivateReadings", asset, transient=transient, collections=(CRITICAL,))
    else:
        receipt = await contract.submit("AddReadings", asset, json.dumps(readings))
    return receipt.payload


async def read_asset(contract: Contract, asset: str, bookmark: str, limit: int) -> bytes:
    """An asset with a page of its readings."""
    level = (await asset_of(contract, asset))["confidentiality"]
    return await contract.evaluate("ReadAsset", asset, bookmark, str(limit), collections=collections_of(level))


async def delete_asset(
    contract: Contract, asset: str, requesters: str, noted: Callable[[Sequence[str]], None] = lambda _: None
) -> bytes:
    """Delete one's own asset, in as many transactions as it takes; the last answer, with `purged` of all of them.

    `noted` is told after each of them what is purged by then: if a later one fails, nobody else could tell any more.
    """
    collections = collections_of((await asset_of(contract, asset))["confidentiality"])
    purged: list[str] = []
    arguments = [asset, requesters]
    while True:
        receipt = await contract.submit("DeleteAsset", *arguments, collections=collections)
        answer = json.loads(receipt.payload)
        purged += answer.get("purged", ())
        noted(purged)
        if answer["status"] == "deleted":
            return json.dumps({**answer, "purged": purged}).encode() if collections else receipt.payload
        arguments = [asset]


def collections_of(confidentiality: str) -> tuple[str, ...]:
    """The collections that a call touches, of an asset of this confidentiality."""
    return (CRITICAL,) if confidentiality == PRIVATE else ()
