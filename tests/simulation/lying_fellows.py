"""A member of a collection whose node is honest but for what it tells other peers about private data."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import grpc

from privysharing.protocol.codec.private_data import (
    encode_response,
    encode_signed_response,
    parse_request,
    parse_response,
    parse_signed_request,
    parse_signed_response,
)
from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.private_data import FoundSet, PullAnswer, Push, PushAnswer, Response
from privysharing.protocol.private_exchange import RESPONSE_CONTEXT
from privysharing.rpc.private_data import METHOD
from tests.simulation.liars import Moods, Told
from tests.support.liars import flipped

LIAR: Final = "lying fellow"
SILENT, SLOW, OLD_ANSWER, BAD_SIGNATURE = "is silent", "is slow", "answers what was asked before", "signs other bytes"
DROPS = "acknowledges a push and drops it"
HAS_NOTHING, FLIPS, SWAPS = "says that it has nothing", "changes a set", "gives one set for another"
EMPTIES, TRIMS = "gives an empty set", "says that all was purged"
FLIPS_AND_TRIMS = "changes a set and says that some was purged"
OF_SETS: Final = (HAS_NOTHING, FLIPS, SWAPS, EMPTIES, TRIMS, FLIPS_AND_TRIMS)
OF_THE_REST: Final = (SILENT, SLOW, OLD_ANSWER, BAD_SIGNATURE, DROPS)
LIES: Final = (*OF_THE_REST, *OF_SETS)
HONESTY: Final = 20  # times as often as each lie of the rest: whoever does not greet rightly is asked for no sets
SLOW_S = 3.0  # mean


class LyingFellow(grpc.aio.ServerInterceptor):
    """Stands between the honest service and those who ask it."""

    def __init__(
        self, signer: SigningIdentity, chance: random.Random, moods: Moods, moods_of_sets: Moods, told: Told
    ) -> None:
        """`moods_of_sets`: when it gives some; `moods`: else."""
        self._signer = signer
        self._chance = chance
        self._moods = moods
        self._moods_of_sets = moods_of_sets
        self._told = told
        self._sets = [b"nothing of the kind"]  # that it has given before
        self._before = b""  # its last answer
        self._gifts: dict[str, Callable[[PullAnswer], PullAnswer]] = {
            HAS_NOTHING: lambda _: PullAnswer(()),
            FLIPS: lambda answer: self._changed(answer, lambda raw: flipped(raw, chance)),
            FLIPS_AND_TRIMS: lambda answer: self._changed(answer, lambda raw: flipped(raw, chance), trimmed=True),
            SWAPS: lambda answer: self._changed(answer, lambda _: chance.choice(self._sets)),
            EMPTIES: lambda answer: self._changed(answer, lambda _: b""),
            TRIMS: lambda answer: PullAnswer(tuple(replace(each, rwset=b"", trimmed=True) for each in answer.found)),
        }

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if details.method != METHOD:
            return handler

        async def exchange(request: bytes, context: Any) -> bytes:
            lie = self._moods.now()
            if lie == DROPS and (answer := self._taken(request)) is not None:
                self._told.tell(LIAR, lie)
                return answer
            honest = bytes(await handler.unary_unary(request, context))
            if lie in (SILENT, SLOW):
                self._told.tell(LIAR, lie)
                await asyncio.sleep(1000.0 if lie == SILENT else self._chance.expovariate(1 / SLOW_S))
            return self._answered(lie, honest)

        return grpc.unary_unary_rpc_method_handler(exchange)

    def _taken(self, signed: bytes) -> bytes | None:
        """That it has all that is pushed; None for another request."""
        raw, _ = parse_signed_request(signed)
        ask = parse_request(raw).ask
        if not isinstance(ask, Push):
            return None
        return self._sealed(Response(sha256(raw), self._signer.serialized, PushAnswer(("",) * len(ask.transactions))))

    def _answered(self, lie: str, honest: bytes) -> bytes:
        raw, signature = parse_signed_response(honest)
        before, self._before = self._before, honest
        if lie == OLD_ANSWER and before:
            self._told.tell(LIAR, lie)
            return before
        if lie == BAD_SIGNATURE:
            self._told.tell(LIAR, lie)
            return encode_signed_response(raw, flipped(signature, self._chance))
        response = parse_response(raw)
        if not isinstance(response.answer, PullAnswer) or not response.answer.found:
            return honest
        told = self._given(response.answer)
        return honest if told == response.answer else self._sealed(replace(response, answer=told))

    def _given(self, answer: PullAnswer) -> PullAnswer:
        lie = self._moods_of_sets.now()
        told = self._gifts[lie](answer) if lie in self._gifts else answer
        if told != answer:
            self._told.tell(LIAR, lie)
        self._sets = [*(each.rwset for each in answer.found), *self._sets][:10]
        return told

    def _sealed(self, response: Response) -> bytes:
        raw = encode_response(response)
        return encode_signed_response(raw, self._signer.sign(RESPONSE_CONTEXT + raw))

    @staticmethod
    def _changed(answer: PullAnswer, change: Callable[[bytes], bytes], *, trimmed: bool = False) -> PullAnswer:
        def changed(found: FoundSet) -> FoundSet:
            return replace(found, rwset=change(found.rwset), trimmed=trimmed or found.trimmed)

        return PullAnswer(tuple(map(changed, answer.found)))
