"""Generate a network: `python -m deploy.generate --topology demo --out FOLDER`."""

import os
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import click

from deploy import layout
from deploy.channels import channel_profile
from deploy.enough import Enough, enough
from deploy.kafka.cluster import Cluster
from deploy.manifest import (
    ChannelEntry,
    ContractEntry,
    Network,
    NodeEntry,
    OrderingEntry,
    OrganisationEntry,
    UserEntry,
)
from deploy.material import Material
from deploy.nodeconfig import core_yaml, orderer_yaml
from deploy.ordering import ExistingKafka, OwnKafka, Wish, with_ordering
from deploy.own_files import copy_own_files
from deploy.places import Places, Placing, contained, local
from deploy.ports import NoFreePorts
from deploy.profiles import connection_profile
from deploy.topology import (
    Node,
    Organisation,
    PeerNode,
    Topology,
    TopologyError,
    load_topology,
    topology_names,
)
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.genesis import genesis_block
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.envelopes import NONCE_BYTES


class FolderNotEmpty(OSError):
    """There is something in the folder already: perhaps a network whose keys nobody could make again."""


def generate(topology: Topology, folder: Path, places: Places | None = None) -> Network:
    """Write everything that the nodes of `topology` start with into `folder`, which must be empty or not there.

    Without `places` they are for this machine, on free ports. What fails leaves nothing behind.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FolderNotEmpty(f"{folder} is not empty; choose another folder, or remove this one if nobody needs it")
    if topology.ordering is None and len(topology.orderers) > 1:
        raise TopologyError(f"topologies.{topology.name}.ordering is embedded, which is for one orderer; needed: kafka")
    places = places or local(topology)
    existed = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(topology, folder, places)
    except BaseException:
        for path in folder.iterdir() if folder.exists() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not existed and folder.exists():
            folder.rmdir()
        raise


def _write(topology: Topology, folder: Path, places: Places) -> Network:
    names = {name: place.names for name, place in places.nodes.items()}
    material = Material.make(topology, datetime.now(UTC), names=names)
    material.write(topology, folder)
    ordering = _ordering(topology, folder, places)
    endorsements: dict[str, Enough] = {}
    for channel in topology.channels:
        profile = channel_profile(topology, channel, material, places.addresses, ordering.brokers)
        block = genesis_block(profile, nonce=os.urandom(NONCE_BYTES), timestamp_ns=time.time_ns())
        endorsements[channel.name] = enough(topology, channel, material, ChannelConfig.from_block(block))
        _write_file(folder / layout.genesis_file(channel.name), encode_block(block))
    for orderer in topology.orderers:
        text = orderer_yaml(topology, orderer, places, ordering)
        _write_file(folder / _config_file(orderer, places), text.encode())
    for peer in topology.peers:
        text = core_yaml(topology, peer, places)
        _write_file(folder / _config_file(peer, places), text.encode())
    for org in topology.organisations:
        text = connection_profile(topology, org, material, places.addresses, endorsements)
        _write_file(folder / layout.profile_file(org), text.encode())
    if places.alone:
        for node in topology.nodes:
            copy_own_files(topology, node, folder)
    network = _network(topology, folder, places, endorsements, ordering)
    network.save()
    return network


def _ordering(topology: Topology, folder: Path, places: Places) -> OrderingEntry:
    """Where the log is to be, once a cluster that is for this network alone is written down."""
    match topology.ordering:
        case OwnKafka(brokers, zookeepers):
            cluster = Cluster.make(folder / layout.KAFKA, brokers, zookeepers, host_of=places.kafka)
            return OrderingEntry(cluster.bootstrap, cluster.zookeepers, str(layout.KAFKA))
        case ExistingKafka(addresses, ensemble):
            return OrderingEntry(addresses, ensemble)
        case None:
            return OrderingEntry()


def _config_file(node: Node, places: Places) -> PurePosixPath:
    return layout.own_folder(node) / layout.config_name(node) if places.alone else layout.node_config_file(node)


def _network(
    topology: Topology,
    folder: Path,
    places: Places,
    endorsements: Mapping[str, Enough],
    ordering: OrderingEntry,
) -> Network:
    return Network(
        folder=folder,
        topology=topology.name,
        title=topology.title,
        client_auth_required=topology.client_auth_required,
        organisations=tuple(_organisation_entry(topology, org) for org in topology.organisations),
        nodes=tuple(_node_entry(topology, node, places) for node in topology.nodes),
        channels=tuple(
            ChannelEntry(
                name=channel.name,
                genesis=str(layout.genesis_file(channel.name)),
                members=tuple(org.name for org in channel.members),
                clients=tuple(org.name for org in channel.clients),
                endorsement=channel.endorsement,
                lifecycle_endorsement=channel.lifecycle_endorsement,
                endorsements=endorsements[channel.name].channel,
                contracts=tuple(ContractEntry(each.name, each.version, each.collections) for each in channel.contracts),
            )
            for channel in topology.channels
        ),
        ordering=ordering,
    )


def _organisation_entry(topology: Topology, org: Organisation) -> OrganisationEntry:
    folders = {user: layout.user_folder(topology, org, user) for user in (*org.users, layout.ADMIN)}
    return OrganisationEntry(
        name=org.name,
        title=org.title,
        msp_id=org.msp_id,
        domain=org.domain,
        folder=str(layout.organisation_folder(topology, org)),
        tls_ca=str(layout.tls_ca_file(topology, org)),
        profile=str(layout.profile_file(org)),
        users=tuple(
            UserEntry(user, "admin" if user == layout.ADMIN else "client", str(place / "msp"), str(place / "tls"))
            for user, place in folders.items()
        ),
    )


def _node_entry(topology: Topology, node: Node, places: Places) -> NodeEntry:
    is_peer = isinstance(node, PeerNode)
    place = places.of(node)
    crypto = layout.node_crypto_folder(topology, node)
    return NodeEntry(
        name=node.full_name,
        role="peer" if is_peer else "orderer",
        org=node.org.name,
        msp_id=node.org.msp_id,
        order=1 if is_peer else 0,
        command=place.command,
        config=str(_config_file(node, places)),
        data=str(layout.node_folder(node) / layout.DATA),
        msp=str(crypto / "msp"),
        tls=str(crypto / "tls"),
        address=place.address,
        operations_address=place.operations_address,
        channels=tuple(
            channel.name for channel in topology.channels if not is_peer or node in topology.peers_of(channel)
        ),
        endorses=isinstance(node, PeerNode) and node.endorses,
    )


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@click.command(help="Generate keys, genesis blocks and node configurations of a network.")
@click.option("--topology", required=True, type=click.Choice(topology_names()), help="Which network of network.yaml.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="An empty folder, or one to be made.")
@click.option("--base-port", type=click.IntRange(1, 65_000), help="Ports from here on, instead of free ones.")
@click.option(
    "--places",
    type=click.Choice([each.value for each in Placing]),
    default=Placing.LOCAL.value,
    show_default=True,
    help="For what.",
)
@with_ordering
def main(topology: str, out: Path, base_port: int | None, places: str, ordering: Wish) -> None:
    """The command."""
    if base_port is not None and places == Placing.CONTAINERS:
        raise click.UsageError("--base-port is for --places local")
    wanted = load_topology(topology).ordered(ordering)
    try:
        network = generate(wanted, out, contained(wanted) if places == Placing.CONTAINERS else local(wanted, base_port))
    except (TopologyError, FolderNotEmpty, NoFreePorts) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{topology}: {network.title}")
    for node in network.nodes:
        click.echo(f"  {node.name:<28} {node.address:<22} {' '.join(node.command)}")
    click.echo(f"start them from {out}, in this order; {out / layout.MANIFEST} lists everything")


if __name__ == "__main__":
    main()
