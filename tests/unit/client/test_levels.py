"""What is purged of a large asset is known transaction by transaction: nobody could tell afterwards."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Contract, Receipt
from privysharing.sdk.errors import Unavailable
from services.client.network.levels import delete_asset

ASSET = "alice@CitizensMSP/flask"


class Deleting(Contract):
    """Answers to one deletion after the other; when there are no more, the network has gone."""

    def __init__(self, *purged: tuple[str, Sequence[str]]) -> None:
        self._answers = [json.dumps({"asset": ASSET, "status": status, "purged": keys}) for status, keys in purged]

    async def evaluate(self, *_arguments: Any, **_options: Any) -> bytes:
        return b'{"confidentiality": "private"}'

    async def submit(self, *_arguments: Any, **_options: Any) -> Receipt:
        if not self._answers:
            raise Unavailable("no orderer answers")
        return Receipt(TxId("t"), 1, self._answers.pop(0).encode())


async def test_the_last_answer_has_what_all_transactions_purged() -> None:
    noted: list[tuple[str, ...]] = []
    contract = Deleting(("deleting", ["aa", "bb"]), ("deleted", ["cc"]))
    answer = json.loads(await delete_asset(contract, ASSET, "[]", lambda purged: noted.append(tuple(purged))))
    assert (answer["status"], answer["purged"]) == ("deleted", ["aa", "bb", "cc"])
    assert noted == [("aa", "bb"), ("aa", "bb", "cc")]


async def test_what_was_purged_before_a_transaction_failed_is_noted() -> None:
    noted: list[tuple[str, ...]] = []
    with pytest.raises(Unavailable):
        await delete_asset(
            Deleting(("deleting", ["aa", "bb"])), ASSET, "[]", lambda purged: noted.append(tuple(purged))
        )
    assert noted == [("aa", "bb")]
