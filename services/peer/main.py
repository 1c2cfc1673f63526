"""privy-peer: the process around a peer."""

import asyncio
import logging

from services.peer.channels import RecoveryStopped
from services.peer.config import PeerConfig, load
from services.peer.node import Peer
from services.runtime.command import role_command
from services.runtime.reporting import Reporting

_log = logging.getLogger(__name__)


async def serve(config: PeerConfig, stop: asyncio.Event) -> None:
    """Run a peer until `stop` is set; then answer what was asked, store what is being stored, and return."""
    reporting = Reporting(config.reporting)
    reporting.certificates(
        signing=config.signer.certificate_pem,
        tls=config.tls.certificate if config.tls else None,
        client=config.client_tls.certificate if config.client_tls else None,
    )
    peer = Peer(config, reporting.registry)
    try:
        await peer.open(stop.is_set)
        async with reporting.answering({"channels": peer.illness, "disk": peer.space.illness}):
            await peer.run(stop)
    except RecoveryStopped:
        _log.warning("stopping before every ledger is recovered; the next start goes on")
    finally:
        await peer.close()


main = role_command(
    "Run a peer: it endorses proposals, follows its channels' orderers, and keeps their ledgers.",
    "core.yaml. Every key can be overridden from the environment: CORE_PEER_LISTENADDRESS=0.0.0.0:7051.",
    load,
    serve,
)


if __name__ == "__main__":
    main()
