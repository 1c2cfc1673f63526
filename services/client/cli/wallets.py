"""`privy wallet`: the identities to act as."""

from pathlib import Path

import click

from deploy.manifest import Network
from deploy.wallets import network_wallet
from privysharing.sdk import WalletEntry
from services.client.cli.output import Output
from services.client.cli.session import with_network, with_output


@click.group()
def command() -> None:
    """Identities to act as, kept in the folder `wallet` of a network."""


@command.command("list")
@with_network
@with_output
def list_identities(folder: Path, output: Output) -> None:
    """Show every identity by its label, and its organisation's MSP id."""
    wallet = network_wallet(Network.load(folder))
    rows = [{"label": label, "msp_id": wallet.get(label).msp_id} for label in wallet.labels()]
    output.rows("identities", ("label", "msp_id"), rows)


@command.command("import")
@with_network
@click.argument("label")
@click.option("--msp-id", required=True, help="MSP id of the identity's organisation.")
@click.option("--cert", required=True, type=click.Path(exists=True, path_type=Path), help="Its certificate (PEM).")
@click.option("--key", required=True, type=click.Path(exists=True, path_type=Path), help="Its private key (PEM).")
@with_output
def import_identity(folder: Path, label: str, msp_id: str, cert: Path, key: Path, output: Output) -> None:
    """Put an identity under LABEL; certificate and key must belong together."""
    entry = WalletEntry(msp_id, cert.read_bytes(), key.read_bytes())
    entry.signing_identity()
    network_wallet(Network.load(folder)).put(label, entry)
    output.done(f"{label} of {msp_id} is in the wallet", {"label": label, "msp_id": msp_id})


@command.command("remove")
@with_network
@click.argument("label")
@with_output
def remove_identity(folder: Path, label: str, output: Output) -> None:
    """Forget the identity under LABEL, its private key included."""
    network_wallet(Network.load(folder)).remove(label)
    output.done(f"{label} is no longer in the wallet", {"label": label})
