"""`privy channel`: what a channel's peers know."""

import asyncio

import click

from privysharing.protocol.codec.system_chaincodes import parse_blockchain_info
from privysharing.sdk import Call, connect
from services.client.cli.session import Session, acting
from services.client.network.identities import network_wallet, profile_of


@click.group()
def command() -> None:
    """What a channel's peers know."""


@command.command("info")
@acting
def info(session: Session) -> None:
    """Show the channel's height and newest block hashes, as one peer of one's organisation has them. For operators."""

    async def ask() -> bytes:
        entry = network_wallet(session.network).get(session.label)
        async with connect(profile_of(session.network, entry.msp_id), entry.signing_identity()) as network:
            return await network.channel(session.channel).evaluate(Call("qscc", "GetChainInfo", (session.channel,)))

    found = parse_blockchain_info(asyncio.run(ask()))
    session.output.record(
        session.channel,
        {
            "channel": session.channel,
            "height": found.height,
            "block_hash": found.current_hash.hex(),
            "previous_block_hash": found.previous_hash.hex(),
        },
    )
