"""The identities of a generated network, as a wallet: `alice`, `doctor`, and `admin.medical` for each organisation."""

from pathlib import Path

from deploy.manifest import Network, NotANetwork, UserEntry
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.sdk import ConnectionProfile, Wallet, WalletEntry

ADMIN_PREFIX = "admin."


def fill_wallet(network: Network) -> Wallet:
    """Put every user of the network into its wallet."""
    wallet = network_wallet(network)
    for organisation in network.organisations:
        for user in organisation.users:
            label = f"{ADMIN_PREFIX}{organisation.name}" if user.role == "admin" else user.name
            certificate, key = _credentials(network, user)
            wallet.put(label, WalletEntry(organisation.msp_id, certificate, key))
    return wallet


def network_wallet(network: Network) -> Wallet:
    """Where a network's identities are kept."""
    return Wallet(network.path("wallet"))


def admin_of(network: Network, organisation: str) -> SigningIdentity:
    """An organisation's administrator, straight from its MSP folder."""
    org = network.organisation(organisation)
    admin = next(user for user in org.users if user.role == "admin")
    certificate, key = _credentials(network, admin)
    return load_signing_identity(certificate, key, org.msp_id)


def profile_of(network: Network, organisation: str) -> ConnectionProfile:
    """The network as an organisation sees it; by name or MSP id."""
    try:
        return ConnectionProfile.load(network.path(network.organisation(organisation).profile))
    except KeyError:
        known = ", ".join(org.msp_id for org in network.organisations)
        raise NotANetwork(f"no organisation {organisation} in {network.folder}; it has {known}") from None


def _credentials(network: Network, user: UserEntry) -> tuple[bytes, bytes]:
    msp = network.path(user.msp)
    return _only_file(msp / "signcerts"), _only_file(msp / "keystore")


def _only_file(folder: Path) -> bytes:
    (file,) = folder.iterdir()
    return file.read_bytes()
