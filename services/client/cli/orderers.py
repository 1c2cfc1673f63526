"""`privy orderer`: which orderers live, and what is done to a stopped one."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from deploy.wallets import network_wallet
from privysharing.protocol.orderers import LiveOrderer
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.rpc.directory import live_orderers
from privysharing.rpc.errors import NodeError
from privysharing.sdk.profile import Node
from services.client.cli.session import Session, acting
from services.client.network.identities import profile_of


@click.group()
def command() -> None:
    """See which orderers live, and move the log of a stopped one to Kafka."""


@command.command("live")
@acting
def live(session: Session) -> None:
    """Show the orderers that live, as the first of one's profile that answers knows them.

    From ZooKeeper, where there is one: also those that no profile names yet. Without, an orderer knows of itself.
    """
    with session.output.busy("asking orderers"):
        asked, found = session.runner.run(_first_answer(session))
    rows = [{"address": f"{each.host}:{each.port}", "msp_id": each.msp_id, "told_by": asked} for each in found]
    session.output.rows("orderers that live", ("address", "msp_id", "told_by"), rows)


async def _first_answer(session: Session) -> tuple[str, Sequence[LiveOrderer]]:
    profile = profile_of(session.network, network_wallet(session.network).get(session.label).msp_id)
    failures = {}
    for node in profile.channel(session.channel).orderers:
        try:
            return node.name, await _ask(node, ClientTls(node.tls_ca, profile.tls_certificate, profile.tls_key))
        except NodeError as error:
            failures[node.name] = error.reason
    return session.output.fail(f"no orderer of {session.channel} answers", failures)


async def _ask(node: Node, tls: ClientTls) -> Sequence[LiveOrderer]:
    channel = open_channel(node.address, tls, server_name=node.server_name)
    try:
        return await live_orderers(node.name, channel)
    finally:
        await channel.close()


@command.command("migrate")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--channel", help="This channel only.  [default: all that have an embedded log]")
def migrate(path: Path, channel: str | None) -> NoReturn:
    """Copy the embedded logs of a stopped orderer to the Kafka brokers that FILE, its orderer.yaml, names.

    May be broken off and run again. See docs/operations.md.
    """
    program = [sys.executable, "-m", "services.orderer.kafka.migrate", str(path)]
    options = ["--channel", channel] if channel is not None else []
    sys.exit(subprocess.run([*program, *options], check=False).returncode)  # noqa: S603 - our own program
