"""Acting on a network from the command line: which network, as whom, on which channel, for people or machines."""

import asyncio
import contextlib
import functools
import json
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from deploy.manifest import Network
from deploy.wallets import network_wallet
from privysharing.chaincode.identity import client_identity
from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Call, Contract, Receipt, connect
from privysharing.sdk import Network as Connection
from privysharing.sdk.commits import Verdict
from privysharing.sdk.errors import CommitRefused, CommitUnknown
from services.client.cli.output import Output
from services.client.network.identities import profile_of
from services.client.network.reaching import reaching
from services.client.network.unsettled import Unsettled

DEFAULT_FOLDER = Path("var/demo")
CONTRACT = "privysharing"

T = TypeVar("T")
Command = Callable[..., Any]


def with_output(command: Command) -> Command:
    """Give a command `--json`, and the `output` to print with."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
    @functools.wraps(command)
    def wrapped(as_json: bool, **arguments: Any) -> Any:
        return command(output=Output(as_json=as_json), **arguments)

    return wrapped


def with_network(command: Command) -> Command:
    """Give a command `--network`, the folder of a network."""
    return click.option(
        "--network",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_FOLDER,
        show_default=True,
        envvar="PRIVY_NETWORK",
        help="Folder of the network, from the working directory.",
    )(command)


def network_option(folder: Path) -> str:
    """What to append to a command so that it means this network."""
    return "" if folder == DEFAULT_FOLDER else f" --network {shlex.quote(str(folder))}"


class OutcomeUnknown(CommitUnknown):
    """As its base, with the command that finds out."""

    def __init__(self, error: CommitUnknown, command: str) -> None:
        super().__init__(error.tx_id, error.why, error.pending)
        self._command = command

    def __str__(self) -> str:
        return f"{super().__str__()}; find out, and do nothing twice, with: {self._command}"


@dataclass(frozen=True, slots=True)
class Session:
    """One identity on one channel of one network, and where to print.

    Everything runs in one event loop: gRPC complains aloud when a program closes one and opens another.
    """

    network: Network
    label: str
    channel: str
    output: Output
    runner: asyncio.Runner

    def party(self, name: str | None = None) -> str:
        """A person as the contract names parties (alice@CitizensMSP): whoever acts, a label of the wallet, or as is."""
        if name is not None and "@" in name:
            return name
        identity = network_wallet(self.network).get(name or self.label).signing_identity()
        return f"{client_identity(identity.serialized).enrollment_id}@{identity.msp_id}"

    def asset(self, name: str) -> str:
        """An asset's id: `alice/pulse` for another's, where alice is a party or a label; `pulse` for one's own."""
        owner, slash, own_name = name.rpartition("/")
        return f"{self.party(owner if slash else None)}/{own_name}"

    def evaluate(self, function: str, *args: str) -> Any:
        """What the contract answers to a question, as a JSON value."""
        return self.use(lambda contract: contract.evaluate(function, *args))

    def use(self, what: Callable[[Contract], Awaitable[bytes]]) -> Any:
        """Whatever is done with the contract; the JSON value that comes of it."""
        return _value(self.work(what))

    def work(self, what: Callable[[Contract], Awaitable[T]]) -> T:
        """Whatever is done with the contract."""
        return self.runner.run(self._with_contract(what))

    def pages(self, function: str, *args: str, after: tuple[str, ...] = ()) -> list[Any]:
        """Every item of a listing, page by page; `args` are those before its bookmark, `after` those behind."""
        items: list[Any] = []
        bookmark = ""
        while True:
            page = self.evaluate(function, *args, bookmark, *after)
            items += page["items"]
            bookmark = page["bookmark"]
            if not bookmark:
                return items

    def submit(self, function: str, *args: str) -> Any:
        """Commit a transaction; the JSON value that the contract returned, once a peer has committed it."""

        async def submit(contract: Contract) -> bytes:
            return (await contract.submit(function, *args)).payload

        with self.output.busy("waiting for the commit"):
            return self.use(submit)

    def submit_for_receipt(self, function: str, *args: str) -> dict[str, Any]:
        """As `submit`, with the transaction's id and block beside the result."""

        async def submit(contract: Contract) -> dict[str, Any]:
            return _shown(await contract.submit(function, *args))

        with self.output.busy("waiting for the commit"):
            return self.work(submit)

    def system(self, call: Call) -> bytes:
        """What a system chaincode of a peer answers to a question."""

        async def ask() -> bytes:
            async with self._connect() as connection:
                return await connection.channel(self.channel).evaluate(call)

        return self.runner.run(ask())

    def verdict(self, tx_id: TxId, since: int) -> Verdict | None:
        """What a peer has found of a transaction by now, in a block from `since` on."""

        async def look_up() -> Verdict | None:
            async with self._connect() as connection:
                return await connection.channel(self.channel).look_up(tx_id, since)

        return self.runner.run(look_up())

    def resubmit(self, tx_id: TxId) -> dict[str, Any]:
        """Order a transaction again whose outcome an earlier command did not learn; as `submit_for_receipt`."""
        unsettled = Unsettled(self.network, self.channel)
        pending = unsettled.get(tx_id)

        async def resubmit(contract: Contract) -> dict[str, Any]:
            try:
                receipt = await contract.channel.resubmit(pending)
            except CommitRefused:
                unsettled.forget(tx_id)
                raise
            unsettled.forget(tx_id)
            return _shown(receipt)

        with self.output.busy("waiting for the commit"):
            return self.work(resubmit)

    async def _with_contract(self, use: Callable[[Contract], Awaitable[T]]) -> T:
        async with self._connect() as connection:
            try:
                return await use(connection.contract(self.channel, CONTRACT))
            except CommitUnknown as error:
                if error.pending is None:
                    raise
                Unsettled(self.network, self.channel).keep(error.pending)
                options = f" --as {self.label} --channel {self.channel}{network_option(self.network.folder)}"
                raise OutcomeUnknown(error, f"privy transaction resubmit {error.tx_id}{options}") from None

    @contextlib.asynccontextmanager
    async def _connect(self) -> AsyncIterator[Connection]:
        entry = network_wallet(self.network).get(self.label)
        with reaching(self.network):
            async with connect(profile_of(self.network, entry.msp_id), entry.signing_identity()) as connection:
                yield connection


def acting(command: Command) -> Command:
    """Give a command the options that say on which network, as whom and where it acts, as one `session`."""

    @with_network
    @click.option("--as", "label", required=True, envvar="PRIVY_AS", help="Identity of the wallet to act as.")
    @click.option("--channel", default=None, help="Channel to act on.  [default: the network's first]")
    @with_output
    @functools.wraps(command)
    def wrapped(folder: Path, label: str, channel: str | None, output: Output, **arguments: Any) -> Any:
        network = Network.load(folder)
        with asyncio.Runner() as runner:
            session = Session(network, label, channel or network.channels[0].name, output, runner)
            return command(session=session, **arguments)

    return wrapped


def _shown(receipt: Receipt) -> dict[str, Any]:
    return {"tx_id": receipt.tx_id, "block": receipt.block_num, "result": _value(receipt.payload)}


def _value(payload: bytes) -> Any:
    return json.loads(payload) if payload else None
