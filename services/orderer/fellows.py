"""Blocks from other orderers of a channel, for one that needs records which the log has dropped."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekBehavior, SeekContentType, SeekErrorResponse, SeekInfo, SeekPosition
from privysharing.protocol.orderers import LiveOrderer
from privysharing.rpc.channels import ClientTls
from privysharing.rpc.deliver import ORDERER_BLOCKS, DeliverClient
from privysharing.rpc.outside import Outside
from services.runtime.grpcserver import ServerTls

NEVER = 2**64 - 1  # a stop that no chain reaches


@dataclass(frozen=True, slots=True)
class Fellow:
    """Another orderer of a channel, and the PEM roots of its TLS certificate."""

    address: str
    msp_id: str
    tls_roots: bytes = field(repr=False)


class BlockCalls(Protocol):
    """Asks other orderers for blocks."""

    def fellows(self, config: ChannelConfig) -> Sequence[Fellow]:
        """Those that may be asked."""
        ...

    def blocks(self, fellow: Fellow, channel_id: str, first: int) -> AsyncGenerator[bytes]:
        """Its blocks from this one on; waits for more. Raises NodeError."""
        ...

    def header(self, fellow: Fellow, channel_id: str, number: int) -> AsyncGenerator[bytes]:
        """One block without its transactions, if it is there. Raises NodeError."""
        ...


class Fellows:
    """Asks over connections that last as long as a question, in this orderer's name."""

    def __init__(
        self,
        signer: SigningIdentity,
        tls: ServerTls | None,
        me: LiveOrderer,
        live: Callable[[], Sequence[LiveOrderer]],
        outside: Outside,
    ) -> None:
        self._signer = signer
        self._tls = tls
        self._me = me
        self._live = live
        self._outside = outside

    def fellows(self, config: ChannelConfig) -> Sequence[Fellow]:
        """Those that the channel's configuration names, and those that live."""
        roots = {
            org.msp_id: b"\n".join((*org.msp.tls_root_certs, *org.msp.tls_intermediate_certs))
            for org in config.orderer_orgs.values()
        }
        named = [(address, org.msp_id) for org in config.orderer_orgs.values() for address in org.endpoints]
        living = [(f"{each.host}:{each.port}", each.msp_id) for each in self._live()]
        me = (f"{self._me.host}:{self._me.port}", self._me.msp_id)
        found = dict.fromkeys(each for each in (*named, *living) if each != me and each[1] in roots)
        return [Fellow(address, msp_id, roots[msp_id]) for address, msp_id in found]

    def blocks(self, fellow: Fellow, channel_id: str, first: int) -> AsyncGenerator[bytes]:
        """See `BlockCalls.blocks`."""
        seek = SeekInfo(SeekPosition.at(first), SeekPosition.at(NEVER), error_response=SeekErrorResponse.BEST_EFFORT)
        return self._ask(fellow, channel_id, seek)

    def header(self, fellow: Fellow, channel_id: str, number: int) -> AsyncGenerator[bytes]:
        """See `BlockCalls.header`."""
        place = SeekPosition.at(number)
        seek = SeekInfo(
            place,
            place,
            SeekBehavior.FAIL_IF_NOT_READY,
            SeekErrorResponse.BEST_EFFORT,
            SeekContentType.HEADER_WITH_SIG_BYTES,
        )
        return self._ask(fellow, channel_id, seek)

    async def _ask(self, fellow: Fellow, channel_id: str, seek: SeekInfo) -> AsyncGenerator[bytes]:
        tls = ClientTls(fellow.tls_roots, self._tls.certificate, self._tls.key) if self._tls else None
        channel = self._outside.open_channel(fellow.address, tls)
        try:
            certificate_hash = tls.certificate_hash if tls else b""
            client = DeliverClient(fellow.address, channel, self._signer, certificate_hash, self._outside)
            async with aclosing(client.blocks(channel_id, seek, method=ORDERER_BLOCKS)) as found:
                async for block in found:
                    yield block
        finally:
            await channel.close()
