"""The identities of a generated network, as a wallet: `alice`, `doctor`, and `admin.medical` for each organisation."""

from pathlib import Path

from deploy.manifest import Network, OrganisationEntry, UserEntry
from privysharing.sdk.wallet import Wallet, WalletEntry

ADMIN_PREFIX = "admin."
WALLET = "wallet"  # of a network, in its folder


def fill_wallet(network: Network) -> Wallet:
    """Put every user of the network into its wallet."""
    wallet = network_wallet(network)
    for organisation in network.organisations:
        for user in organisation.users:
            certificate, key = credentials(network, user)
            wallet.put(label_of(organisation, user), WalletEntry(organisation.msp_id, certificate, key))
    return wallet


def network_wallet(network: Network) -> Wallet:
    """Where a network's identities are kept."""
    return Wallet(network.path(WALLET))


def label_of(organisation: OrganisationEntry, user: UserEntry) -> str:
    """What a user is called in the wallet."""
    return f"{ADMIN_PREFIX}{organisation.name}" if user.role == "admin" else user.name


def credentials(network: Network, user: UserEntry) -> tuple[bytes, bytes]:
    """A user's certificate and private key."""
    msp = network.path(user.msp)
    return _only_file(msp / "signcerts"), _only_file(msp / "keystore")


def _only_file(folder: Path) -> bytes:
    (file,) = folder.iterdir()
    return file.read_bytes()
