"""privy-orderer: the process around an ordering node."""

import asyncio
from pathlib import Path

from services.orderer.channels import read_genesis
from services.orderer.config import OrdererConfig, load
from services.orderer.kafka.ordering import Ordering
from services.orderer.node import Orderer
from services.runtime.command import role_command
from services.runtime.config import ConfigError
from services.runtime.machine import Machine
from services.runtime.reporting import Reporting


async def serve(config: OrdererConfig, stop: asyncio.Event) -> None:
    """Run an orderer until `stop` is set; then answer what was asked, cut what is pending, and return."""
    reporting = Reporting(config.reporting)
    reporting.certificates(signing=config.signer.certificate_pem, tls=config.tls.certificate if config.tls else None)
    ordering = Ordering(config.kafka, reporting.registry, config.me)
    orderer = Orderer(config, reporting.registry, Machine(), ordering.open, ordering)
    geneses = [read_genesis(path) for path in _genesis_files(config.genesis)]

    def illness() -> str | None:
        return "; ".join(filter(None, (ordering.illness(), orderer.illness()))) or None

    async with reporting.answering({"ordering": illness, "disk": orderer.space.illness}):
        try:
            await orderer.open(geneses)
            await orderer.run(stop)
        finally:
            await ordering.close()


def _genesis_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise ConfigError(f"privysharing.Genesis: {folder} is not a folder")
    return sorted(folder.glob("*.block"))


main = role_command(
    "Run an ordering node: it takes envelopes, puts them in one order per channel, and serves signed blocks.",
    "orderer.yaml. Every key can be overridden from the environment: ORDERER_GENERAL_LISTENPORT=7051.",
    load,
    serve,
)


if __name__ == "__main__":
    main()
