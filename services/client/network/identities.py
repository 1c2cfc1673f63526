"""As whom to act on a generated network, and how it looks from an organisation."""

from deploy.manifest import Network, NotANetwork
from deploy.wallets import credentials
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.sdk import ConnectionProfile


def admin_of(network: Network, organisation: str) -> SigningIdentity:
    """An organisation's administrator, straight from its MSP folder. Raises NotANetwork where that folder is not."""
    org = network.organisation(organisation)
    admin = next(user for user in org.users if user.role == "admin")
    if not network.path(admin.msp).exists():
        raise NotANetwork(f"{network.folder} is a part of a network, without the keys of {org.msp_id}'s administrator")
    certificate, key = credentials(network, admin)
    return load_signing_identity(certificate, key, org.msp_id)


def profile_of(network: Network, organisation: str) -> ConnectionProfile:
    """The network as an organisation sees it; by name or MSP id."""
    try:
        return ConnectionProfile.load(network.path(network.organisation(organisation).profile))
    except KeyError:
        known = ", ".join(org.msp_id for org in network.organisations)
        raise NotANetwork(f"no organisation {organisation} in {network.folder}; it has {known}") from None
