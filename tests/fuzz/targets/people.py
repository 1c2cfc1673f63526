"""Calls of the contract: whatever the arguments, the answer is JSON or a refusal, twice the same, no one's secret."""

import json
import random

from privysharing.chaincode.memory import MemoryWorld
from privysharing.contract import PrivySharing
from tests.fuzz.material import NOW_NS, ORG1, ORG2
from tests.fuzz.mutate import Mutator
from tests.fuzz.oracle import check_told, require
from tests.fuzz.targets.endorsing import ASSET, READING_CANARY, contract_call
from tests.fuzz.targets.ordering import split

CALLERS = (ORG1.signer("alice"), ORG2.signer("bob"), ORG2.signer("admin", "admin"))
ALICE = CALLERS[0]


class Calling:
    """Arguments of one call, each behind its length; the first byte chooses who calls."""

    name = "contract"

    def __init__(self) -> None:
        self._contract = PrivySharing()
        self._world = MemoryWorld("health")
        self._calls = 0
        self._submit(b"CreateAsset", b"heart_rate", b"pulse")
        self._submit(b"AddReading", ASSET.encode(), json.dumps(READING_CANARY).encode(), b"bpm")

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        arguments = list(contract_call(chance))
        for _ in range(chance.choice((0, 1, 1, 2))):
            place = chance.randrange(len(arguments))
            if place or chance.random() < 0.2:
                arguments[place] = mutator.spoil_bytes(arguments[place])
        if chance.random() < 0.1:
            chance.shuffle(arguments)
        return bytes((chance.randrange(len(CALLERS)),)) + b"".join(
            len(each).to_bytes(4, "big") + each for each in arguments
        )

    def feed(self, raw: bytes) -> str:
        who, arguments = CALLERS[(raw[:1] or b"\0")[0] % len(CALLERS)], split(raw[1:])
        answers = []
        for _ in range(2):
            stub = self._world.stub(arguments, creator=who.serialized, tx_id="0" * 64, timestamp_ns=NOW_NS)
            response = self._contract.invoke(stub)
            answers.append((response, stub.writes, stub.reads, stub.event))
        require(answers[0] == answers[1], "the same call came to two results")
        told = response.payload + response.message.encode()
        check_told(told)
        require(who is ALICE or READING_CANARY.encode() not in told, "a reading went to somebody else")
        if response.status < 400:
            json.loads(response.payload or b"null")
            return "done"
        refusal = json.loads(response.message)
        require(refusal["code"], "a refusal without a code")
        return str(refusal["code"])

    def _submit(self, *arguments: bytes) -> None:
        self._calls += 1
        stub = self._world.stub(
            arguments, creator=ALICE.serialized, tx_id=f"{self._calls:064}", timestamp_ns=NOW_NS - self._calls
        )
        response = self._contract.invoke(stub)
        assert response.status == 200, response
        self._world.commit(stub)
