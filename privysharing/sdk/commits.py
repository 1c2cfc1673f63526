"""Verdicts on transactions, from a peer's stream of filtered blocks."""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable

from privysharing.protocol.codes import TxCode
from privysharing.protocol.deliver import NEWEST, FilteredBlock, SeekInfo, SeekPosition
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.values import value
from privysharing.rpc.deadlines import Deadlines
from privysharing.rpc.errors import NodeError
from privysharing.sdk.errors import CommitUnknown

_RECONNECT_S = (0.1, 0.5, 1.0, 2.0)  # waits between attempts; the last one repeats
_REMEMBERED_MAX = 10_000  # verdicts kept for whoever asks late

_log = logging.getLogger(__name__)

_FOREVER = SeekPosition.at(2**64 - 1)

FilteredBlocks = Callable[[SeekInfo], AsyncGenerator[FilteredBlock]]


@value
class Verdict:
    """What the peers decided on a transaction, and in which block."""

    code: TxCode
    block_num: int


async def find(blocks: FilteredBlocks, tx_id: TxId, since: int) -> Verdict | None:
    """The verdict on a transaction, if a block from `since` to the newest holds it now. Raises NodeError."""
    async with contextlib.aclosing(blocks(SeekInfo(SeekPosition.at(since), NEWEST))) as found:
        async for block in found:
            code = _codes(block).get(tx_id)
            if code is not None:
                return Verdict(code, block.number)
    return None


def _codes(block: FilteredBlock) -> dict[TxId, TxCode]:
    """What a block says of each id.

    An orderer can put a spoilt copy before the good one: of several copies, a valid one counts. Ids that do not come
    from their nonces are somebody else's: whoever waits for one has made it of his own.
    """
    codes: dict[TxId, TxCode] = {}
    for transaction in block.transactions:
        code = transaction.code
        if code is TxCode.VALID or (transaction.tx_id not in codes and code is not TxCode.BAD_PROPOSAL_TXID):
            codes[transaction.tx_id] = code
    return codes


class _Waiting:
    """Somebody who waits for a verdict."""

    __slots__ = ("answer", "timeout_s", "tx_id")

    def __init__(self, tx_id: TxId, timeout_s: float) -> None:
        self.tx_id = tx_id
        self.timeout_s = timeout_s
        self.answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()


class CommitListener:
    """Follows one peer's filtered blocks of one channel and answers who waits for a transaction.

    A broken stream is taken up again at the last block seen: no verdict is missed, and its coming once more tells at
    once that the peer delivers again.
    """

    def __init__(self, blocks: FilteredBlocks, start: SeekPosition = NEWEST, peer: str = "") -> None:
        self.peer = peer
        self._blocks = blocks
        self._waiting: dict[TxId, list[_Waiting]] = {}
        self._deadlines = Deadlines(self._expire)
        self._seen: OrderedDict[TxId, Verdict] = OrderedDict()
        self._from = start
        self._tried = asyncio.Event()  # a first block has come, or a first attempt has failed
        self._error: Exception | None = None  # of the last attempt; none since a block has come
        self._ended: str | None = None  # why there will be no further attempt
        self._task: asyncio.Task[None] | None = None

    @property
    def follows(self) -> bool:
        """Whether the peer delivers, as far as is known."""
        return self._tried.is_set() and self._error is None

    @property
    def reached(self) -> int:
        """The newest block seen: what is ordered from now on stands behind it."""
        return self._from.number

    async def start(self, timeout_s: float) -> None:
        """Return once the stream brings blocks: from here on no commit goes unnoticed.

        Raises NodeError when the last attempt to follow has failed, though more will be made; TimeoutError when nothing
        came of the first within `timeout_s`; any other exception when it ended the listener.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        try:
            async with asyncio.timeout(timeout_s):
                await self._tried.wait()
        except TimeoutError:
            raise TimeoutError(f"no block within {timeout_s:g} s") from None
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Stop following. Whoever still waits gets CommitUnknown."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        self._end("the client has stopped listening")
        self._deadlines.close()

    async def verdict(self, tx_id: TxId, timeout_s: float) -> Verdict:
        """The verdict on a transaction, now or when it comes; CommitUnknown when it does not come in time."""
        if tx_id in self._seen:
            return self._seen[tx_id]
        if self._ended is not None:
            raise CommitUnknown(tx_id, self._ended)
        waiting = _Waiting(tx_id, timeout_s)
        self._waiting.setdefault(tx_id, []).append(waiting)
        self._deadlines.add(waiting, asyncio.get_running_loop().time() + timeout_s)
        try:
            return await waiting.answer
        except BaseException:
            self._forget(waiting)
            raise

    async def _follow(self) -> None:
        failures = 0
        while True:
            try:
                async with contextlib.aclosing(self._blocks(SeekInfo(self._from, _FOREVER))) as blocks:
                    async for block in blocks:
                        if block.number != self._from.number:  # a peer that has stopped still has its last block
                            failures = 0
                        self._take(block)
            except NodeError as error:
                self._error = error
                self._tried.set()
            except Exception as error:
                _log.exception("a listener has failed")
                self._error = error
                self._end(f"the listener has failed: {error!r}")
                self._tried.set()
                return
            await asyncio.sleep(_RECONNECT_S[min(failures, len(_RECONNECT_S) - 1)])
            failures += 1

    def _end(self, why: str) -> None:
        self._ended = why
        for everybody in self._waiting.values():
            for waiting in everybody:
                self._give_up(waiting, why)

    def _expire(self, waiting: _Waiting) -> None:
        self._give_up(waiting, f"none came within {waiting.timeout_s:g} s")

    def _give_up(self, waiting: _Waiting, why: str) -> None:
        if not waiting.answer.done():
            waiting.answer.set_exception(CommitUnknown(waiting.tx_id, why))

    def _forget(self, waiting: _Waiting) -> None:
        others = self._waiting.get(waiting.tx_id, [])
        if waiting in others:
            others.remove(waiting)
        if not others:
            self._waiting.pop(waiting.tx_id, None)

    def _take(self, block: FilteredBlock) -> None:
        codes = _codes(block)
        verdicts = {code: Verdict(code, block.number) for code in set(codes.values())}
        for tx_id, code in codes.items():
            if code is TxCode.DUPLICATE_TXID and tx_id in self._seen:
                continue  # a second copy says nothing about the first
            verdict = self._seen[tx_id] = verdicts[code]
            for waiting in self._waiting.pop(tx_id, ()):
                if not waiting.answer.done():
                    waiting.answer.set_result(verdict)
        while len(self._seen) > _REMEMBERED_MAX:
            self._seen.popitem(last=False)
        self._from = SeekPosition.at(block.number)
        self._error = None
        self._tried.set()
