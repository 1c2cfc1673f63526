"""How the demo speaks: numbered scenes, what each person does, and what the network answered."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule

from privysharing.contract.private_readings import TRANSIENT
from privysharing.sdk import Contract
from privysharing.sdk.commits import CommitListener
from privysharing.sdk.errors import ContractRefused
from services.client.network.levels import Reading

DENIED = "access denied: not enough permissions"

_INDENT = 3  # also of the lines that a narrow terminal makes of one
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=^"  # for a terminal that has no others


class StoryBroken(Exception):
    """Something did not go as told."""


class Narrator:
    """Tells the story while it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._scene = ""
        self._scenes = 0

    @property
    def place(self) -> str:
        """Where in the story we are."""
        return f"scene {self._scenes} ({self._scene})"

    def scene(self, title: str) -> None:
        """Begin a scene."""
        self._scenes += 1
        self._scene = title
        self._console.print(Rule(f"{self._scenes}. {title}", align="left", style="dim"))

    def says(self, text: str) -> None:
        """Something worth telling."""
        self._console.print(Padding.indent(text, _INDENT))

    def expect(self, fact: object, claim: str) -> None:
        """Tell a claim that is so; a claim that is not so ends the story."""
        if not fact:
            raise StoryBroken(f"it is not so that {claim}")
        self.says(f"[green]{self._mark('✓', '+')}[/green] {claim}")

    def refused(self, who: str, attempt: str, said: str) -> None:
        """An attempt that the rules forbid."""
        self.says(f"[bold]{who}[/bold] {attempt}: [red]{self._mark('✗', 'x')} {escape(said)}[/red]")

    def curve(self, values: Sequence[float]) -> str:
        """Values as a row of bars that the terminal has."""
        return sparkline(values, self._mark(_BARS, _ASCII_BARS))

    def _mark(self, unicode: str, ascii_only: str) -> str:
        return ascii_only if self._console.options.ascii_only else unicode


class Actor:
    """Somebody who calls the contract, and is heard doing so."""

    def __init__(
        self, name: str, party: str, contract: Contract, narrator: Narrator, peers: Sequence[CommitListener]
    ) -> None:
        """`peers` listens to every peer, so that the next scene, wherever it is asked about, knows of this one."""
        self.name = name
        self.party = party
        self.contract = contract
        self._narrator = narrator
        self.last_block = 0  # of the transactions that he has committed
        self._peers = peers

    async def does(
        self, what: str, function: str, *args: Any, conceals: Reading | None = None, collections: tuple[str, ...] = ()
    ) -> Any:
        """Commit a transaction, and tell how long it took until every peer had committed it.

        What it conceals goes to the peers that hold the collections, and to nobody else.
        """
        start = time.monotonic()
        transient = {TRANSIENT: self.contract.salted(conceals)} if conceals else None
        receipt = await self.contract.submit(
            function, *map(_argument, args), transient=transient, collections=collections
        )
        wait = self.contract.channel.timeouts.commit
        await asyncio.gather(*(peer.verdict(receipt.tx_id, wait) for peer in self._peers))
        took_ms = (time.monotonic() - start) * 1000
        self._narrator.says(f"[bold]{self.name}[/bold] {what} [dim](block {receipt.block_num}, {took_ms:.0f} ms)[/dim]")
        self.last_block = receipt.block_num
        return json.loads(receipt.payload) if receipt.payload else None

    async def asks(self, function: str, *args: Any, collections: tuple[str, ...] = ()) -> Any:
        """Ask without telling."""
        return json.loads(await self.contract.evaluate(function, *map(_argument, args), collections=collections))

    async def is_refused(
        self,
        attempt: str,
        expected: str,
        function: str,
        *args: Any,
        submit: bool = False,
        collections: tuple[str, ...] = (),
    ) -> None:
        """Try what the rules forbid; the refusal must say `expected`."""
        call = self.contract.submit if submit else self.contract.evaluate
        try:
            await call(function, *map(_argument, args), collections=collections)
        except ContractRefused as refused:
            said = refused.refusal.message
            self._narrator.refused(self.name, attempt, said)
            if expected not in said:
                raise StoryBroken(f"{self.name} {attempt}: needed a refusal {expected!r}, found {said!r}") from None
        else:
            raise StoryBroken(f"{self.name} {attempt}: needed a refusal {expected!r}, but it was allowed")


def sparkline(values: Sequence[float], bars: str = _BARS) -> str:
    """Values as a row of bars, which are given from the lowest to the highest."""
    low, high = min(values), max(values)
    scale = (len(bars) - 1) / ((high - low) or 1)
    return "".join(bars[round((value - low) * scale)] for value in values)


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
