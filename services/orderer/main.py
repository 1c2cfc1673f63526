"""privy-orderer: the process around an ordering node."""

import asyncio
from pathlib import Path

from services.orderer.channels import Genesis, read_genesis
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
    reporting.certificates(signing=config.signer.certificate_pem, tls=config.tls and config.tls.certificate)
    ordering = Ordering(config.kafka, reporting.registry, config.me)
    orderer = Orderer(config, reporting.registry, Machine(), ordering.open, ordering)
    geneses = [read_genesis(path) for path in _genesis_files(config.genesis)]

    def illness() -> str | None:
        return ordering.illness() or orderer.illness()

    async with reporting.answering({"ordering": illness, "disk": orderer.space.illness}):
        try:
            if await _opened(orderer, geneses, stop):
                await orderer.run(stop)
        finally:
            await ordering.close()


async def _opened(orderer: Orderer, geneses: list[Genesis], stop: asyncio.Event) -> bool:
    """Whether its channels are open before it is to stop: that takes for as long as no broker answers."""
    opening = asyncio.create_task(orderer.open(geneses))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not opening.done():
        opening.cancel()
        return False
    opening.result()
    return True


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
