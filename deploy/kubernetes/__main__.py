"""`python -m deploy.kubernetes TOPOLOGY`: the overlay of a network, and its keys, ready for `kubectl apply -k`."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import click

from deploy.generate import generate
from deploy.kubernetes.names import in_kubernetes
from deploy.kubernetes.overlay import overlay
from deploy.kubernetes.parts import NETWORK
from deploy.topology import Topology, TopologyError, load_topology, topology_names
from deploy.wallets import fill_wallet

OVERLAYS = Path("k8s/overlays")


@click.command(help="Write the Kubernetes overlay of a network, and its keys and certificates, if it has none yet.")
@click.argument("topology", type=click.Choice(topology_names()))
@click.option("--overlays", type=click.Path(path_type=Path), default=OVERLAYS, show_default=True, help="Below this.")
def main(topology: str, overlays: Path) -> None:
    """The command."""
    described = load_topology(topology)
    folder = overlays / topology
    try:
        with tempfile.TemporaryDirectory() as drawn:
            made = Path(drawn) / "network"
            files = draw(described, made)
            write(folder, overlay(described, files, version("privysharing")))
            kept = folder / NETWORK
            if not kept.exists():
                shutil.copytree(made, kept)
    except TopologyError as error:
        raise click.ClickException(str(error)) from None
    if missing := sorted(set(files) - set(files_of(kept))):
        raise click.ClickException(
            f"{kept} is of a network that was described otherwise: it has no {missing[0]}. Bring back the description, "
            f"or remove the folder, and with it all keys of the network"
        )
    click.echo(f"{topology}: {described.title}")
    click.echo(f"its keys are in {kept}, and nowhere else; start it with: kubectl apply -k {folder}")


def draw(topology: Topology, folder: Path) -> list[str]:
    """Generate a network for a cluster: keys, certificates, first blocks, settings. Says which files there are."""
    fill_wallet(generate(topology, folder, in_kubernetes(topology)))
    return files_of(folder)


def files_of(folder: Path) -> list[str]:
    """All files of a folder, as paths below it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def write(folder: Path, texts: dict[str, str]) -> None:
    """Put the files of an overlay where they belong, and remove what was one once."""
    for path in folder.rglob("*.yaml") if folder.exists() else ():
        if not path.is_relative_to(folder / NETWORK) and str(path.relative_to(folder)) not in texts:
            path.unlink()
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
