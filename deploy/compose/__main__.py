"""`python -m deploy.compose up|down|demo|exec`: a network of `network.yaml` in containers."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from deploy.compose.document import client_of
from deploy.compose.project import Project
from deploy.images.engine import DockerFault, engine
from deploy.layout import MANIFEST
from deploy.manifest import Network, NotANetwork
from deploy.ordering import Wish, with_ordering
from deploy.packages import Missing
from deploy.topology import TopologyError, load_topology, topology_names

FOLDER = Path("var/compose")

_folder = click.option("--folder", type=click.Path(path_type=Path), default=FOLDER, show_default=True)


@click.group()
def main() -> None:
    """A network in containers, from images that `make images` has built."""


@main.command()
@_folder
@click.option("--topology", type=click.Choice(topology_names()), default="demo", show_default=True)
@with_ordering
def up(folder: Path, topology: str, ordering: Wish) -> None:
    """Generate a network if it is not there yet, start its containers, and return once its contracts are defined."""
    with _told():
        if (folder / MANIFEST).exists():
            project = _project(folder)
        else:
            project = Project.make(load_topology(topology).ordered(ordering), folder, engine())
        project.up()
    click.echo(f"{project.network.title}")
    for node in project.network.nodes:
        click.echo(f"  {node.name}")
    org = project.network.organisations[-1]
    user = next(user for user in org.users if user.role != "admin")
    click.echo(f"use it: python -m deploy.compose exec {org.name} asset list --as {user.name}")


@main.command()
@_folder
@click.option("--remove", is_flag=True, help="Remove the folder too: keys, ledgers and all.")
def down(folder: Path, remove: bool) -> None:
    """Stop and remove the containers; what is committed stays, unless you ask to remove it."""
    with _told():
        _project(folder).down()
    if remove:
        shutil.rmtree(folder)


@main.command()
@_folder
def demo(folder: Path) -> None:
    """Play a day of Alice's on a network of containers that nobody has used yet."""
    with _told():
        sys.exit(_project(folder).play())


@main.command("exec", context_settings={"ignore_unknown_options": True})
@_folder
@click.argument("organisation")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def execute(folder: Path, organisation: str, arguments: tuple[str, ...]) -> None:
    """Run `privy` with ARGUMENTS in an organisation's own container, with the keys of its people."""
    with _told():
        project = _project(folder)
        names = [org.name for org in project.network.organisations]
        if organisation not in names:
            raise click.UsageError(f"needed one of {', '.join(names)}; found {organisation}")
        sys.exit(project.privy(client_of(organisation), *arguments))


def _project(folder: Path) -> Project:
    Network.load(folder)
    return Project(folder, engine())


@contextmanager
def _told() -> Iterator[None]:
    """Around work of an engine's: what goes wrong is told in a sentence."""
    try:
        yield
    except (Missing, DockerFault, NotANetwork, TopologyError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
