"""`python -m deploy.kafka fetch|up|down`: a cluster of its own, for networks that name its addresses."""

import shutil
from pathlib import Path

import click

from deploy.kafka import programs
from deploy.kafka.cluster import DESCRIPTION, Cluster, MemberFault
from deploy.packages import Missing
from deploy.ports import PortTaken

FOLDER = Path("var/kafka/cluster")
PORT = 9092  # Kafka's own; the others follow it

_folder = click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)


@click.group()
def main() -> None:
    """Kafka and ZooKeeper on this machine."""


@main.command()
def fetch() -> None:
    """Get what brokers and ZooKeeper nodes run on: Java, where it may be installed, and their archives."""
    try:
        programs.program("java")
        programs.archives()
    except Missing as missing:
        raise click.ClickException(str(missing)) from None


@main.command()
@_folder
@click.option("--brokers", type=click.IntRange(1, 16), default=1, show_default=True)
@click.option("--zookeepers", type=click.IntRange(0, 7), default=1, show_default=True, help="0: KRaft.")
def up(folder: Path, brokers: int, zookeepers: int) -> None:
    """Start a cluster, and return once it serves."""
    try:
        if (folder / DESCRIPTION).exists():
            cluster = Cluster.load(folder)
            if (len(cluster.brokers), len(cluster.ensemble)) != (brokers, zookeepers):
                raise click.UsageError(
                    f"{folder} holds {len(cluster.brokers)} brokers and {len(cluster.ensemble)} ZooKeeper nodes; "
                    "stop them and remove what they keep with: python -m deploy.kafka down --remove"
                )
        else:
            cluster = Cluster.make(folder, brokers, zookeepers, base_port=PORT)
        cluster.start()
        cluster.ready()
    except (Missing, MemberFault, PortTaken) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"brokers:    {' '.join(cluster.bootstrap)}")
    if cluster.ensemble:
        click.echo(f"zookeepers: {' '.join(cluster.zookeepers)}")
    click.echo(f"each keeps its data and log in its folder in {folder}")


@main.command()
@_folder
@click.option("--remove", is_flag=True, help="Remove what it keeps, too.")
def down(folder: Path, remove: bool) -> None:
    """Stop the cluster; what it keeps stays, unless you ask to remove it."""
    if (folder / DESCRIPTION).exists():
        Cluster.load(folder).stop()
        if remove:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
