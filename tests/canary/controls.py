"""Canaries that are planted where none may be: a search that does not find them there proves nothing."""

import asyncio
import contextlib
import gzip
import json
import urllib.request
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import grpc

from deploy.manifest import NodeEntry
from privysharing.sdk import Call
from privysharing.sdk.errors import SdkError
from tests.canary.canaries import text_canary, word_canary
from tests.canary.hunt import Control
from tests.canary.network import FOREIGN, WatchedNetwork
from tests.canary.places import CONNECTIONS, FILES, MEMORY, METRICS
from tests.support import foreign_client as foreign
from tests.support.live import CHANNEL, CONTRACT

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def in_a_block(network: WatchedNetwork) -> Control:
    """A public value: on the orderer, in everybody's blocks and state, in memory, and in deliveries."""
    canary = text_canary("control in a block")
    async with network.connect("bob") as bob:
        contract = bob.contract(CHANNEL, FOREIGN)
        await contract.submit("Create", "control", canary.text)
    orderer, outsider = network.orderer.name, _outsider(network).name
    return Control(
        canary,
        (
            (FILES, f"{orderer}/data"),
            (FILES, f"{outsider}/data"),
            (FILES, "entries"),
            (MEMORY, f"of {orderer}"),
            (MEMORY, f"of {outsider}"),
            (CONNECTIONS, f"{outsider} < {orderer}, stream"),
        ),
    )


async def in_a_wrong_hand(network: WatchedNetwork) -> Control:
    """A transient field that is sent to a peer which is no member."""
    canary = text_canary("control in a wrong hand")
    peer = _outsider(network)
    async with network.connect("bob") as bob:
        channel = bob.channel(CHANNEL)
        (node,) = (each for each in channel.nodes.endorsers if each.name == peer.name)
        with contextlib.suppress(SdkError):
            await channel.evaluate(Call(CONTRACT, "Describe", (), {"control": canary.forms[0]}), (node,))
    return Control(canary, ((CONNECTIONS, f"> {peer.name}, stream"),))


async def in_an_error(network: WatchedNetwork) -> Control:
    """The text of a refusal, in headers that are packed."""
    canary = word_canary("control in an error")
    peer, bob = _outsider(network), network.signer("bob")
    proposal = foreign.propose(bob, CHANNEL, CONTRACT, "Describe", tx_id=canary.text)
    with network.dial(peer, "bob") as channel, contextlib.suppress(grpc.RpcError):
        await asyncio.to_thread(foreign.ask, channel, foreign.signed_proposal(proposal, bob))
    return Control(canary, ((CONNECTIONS, f"< {peer.name}, headers"),))


async def in_a_packed_file(network: WatchedNetwork) -> Control:
    """Something that somebody has put aside."""
    canary = word_canary("control in a packed file")
    aside = json.dumps({"backup": canary.text[::-1]}).encode()
    (network.network.path(network.orderer.data) / "aside.gz").write_bytes(b"old " + gzip.compress(aside))
    return Control(canary, ((FILES, "aside.gz, unpacked"),))


async def on_a_page(network: WatchedNetwork) -> Control:
    """What an operations port shows."""
    canary = word_canary("control on a page")
    peer = _outsider(network)
    body = json.dumps({"spec": f"{canary.text}=error:info"}).encode()
    request = urllib.request.Request(f"http://{peer.operations_address}/logspec", body, method="PUT")
    _OPENER.open(request, timeout=10).close()
    return Control(canary, ((METRICS, f"logspec of {peer.name}"),))


PLANTS: Final[Mapping[str, Callable[[WatchedNetwork], Coroutine[Any, Any, Control]]]] = {
    "block": in_a_block,
    "hand": in_a_wrong_hand,
    "error": in_an_error,
    "file": in_a_packed_file,
    "page": on_a_page,
}


def _outsider(network: WatchedNetwork) -> NodeEntry:
    """An endorsing peer that is no member."""
    return next(peer for peer in network.endorsers if peer.org == "citizens")
