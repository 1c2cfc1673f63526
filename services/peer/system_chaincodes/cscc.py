"""cscc: which channels a peer has joined, their configuration, and joining one (core/scc/cscc/configure.go)."""

from collections.abc import Sequence

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import last_config_index, parse_block
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.system_chaincodes import encode_channel_ids
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.system_chaincodes import CSCC
from privysharing.protocol.transactions import Response
from services.peer.access import AccessControl
from services.peer.chaincode_host.faults import go_text
from services.peer.chaincode_host.ports import Channels, JoinRefused
from services.peer.chaincode_host.transaction import Transaction
from services.peer.system_chaincodes.answers import error, success, text

_WITHOUT_ARGUMENT = frozenset({"GetChannels", "JoinBySnapshotStatus"})


class Cscc:
    """args: function, then a channel id or, to join, the channel's configuration block."""

    def __init__(self, channels: Channels, access: AccessControl) -> None:
        self._channels = channels
        self._access = access

    def invoke(self, transaction: Transaction, args: Sequence[bytes]) -> Response:
        """Answer one call."""
        function = text(args[0]) if args else ""
        if not args or (function not in _WITHOUT_ARGUMENT and len(args) < 2):
            return error(f"Incorrect number of arguments, {len(args)}")
        called = transaction.proposal.chaincode.name
        if called != CSCC:
            return error(f"Rejecting invoke of CSCC from another chaincode, original invocation for '{called}'")
        match function:
            case "JoinChain":
                return self._join(transaction, args[1])
            case "GetConfigBlock":
                return self._config_block(transaction, text(args[1]))
            case "GetChannelConfig":
                return self._channel_config(transaction, text(args[1]))
            case "GetChannels":
                return self._channel_ids(transaction)
            case _:
                return error(f"Requested function {function} not found.")

    def _join(self, transaction: Transaction, raw: bytes) -> Response:
        if not raw:
            return error("Cannot join the channel <nil> configuration block provided")
        try:
            block = parse_block(raw)
        except ProtocolError as fault:
            return error(f"Failed to reconstruct the genesis block, {go_text(fault)}")
        try:
            channel_id = parse_payload(parse_envelope(block.data[0]).payload).header.channel.channel_id
        except (ProtocolError, IndexError) as fault:
            return error(f'"JoinChain" request failed to extract channel id from the block due to [{fault}]')
        try:
            ChannelConfig.from_block(block)
        except ProtocolError as fault:
            return error(
                f'"JoinChain" for channelID = {channel_id} failed because of validation of configuration block, '
                f"because of {fault}"
            )
        refusal = self._access.refusal("cscc/JoinChain", transaction.creator)
        if refusal is not None:
            return error(f"access denied for [JoinChain][{channel_id}]: [{refusal}]")
        try:
            self._channels.join(block)
        except JoinRefused as fault:
            return error(str(fault))
        return success()

    def _config_block(self, transaction: Transaction, channel_id: str) -> Response:
        channel = self._channels.get(channel_id)
        config = channel.config if channel is not None else None
        refusal = self._access.refusal("cscc/GetConfigBlock", transaction.creator, config, channel_id)
        if refusal is not None:
            return error(f"access denied for [GetConfigBlock][{channel_id}]: {refusal}")
        if channel is None:
            return error(f"Unknown channel ID, {channel_id}")
        newest = channel.ledger.block(channel.ledger.height - 1)
        raw = None if newest is None else channel.ledger.block_bytes(last_config_index(newest))
        return error(f"no configuration block on channel {channel_id}") if raw is None else success(raw)

    def _channel_config(self, transaction: Transaction, channel_id: str) -> Response:
        if not channel_id:
            return error("empty channel name provided")
        channel = self._channels.get(channel_id)
        config = channel.config if channel is not None else None
        refusal = self._access.refusal("cscc/GetChannelConfig", transaction.creator, config, channel_id)
        if refusal is not None:
            return error(f"access denied for [GetChannelConfig][{channel_id}]: {refusal}")
        if config is None:
            return error(f"unknown channel ID, {channel_id}")
        return success(config.raw)

    def _channel_ids(self, transaction: Transaction) -> Response:
        refusal = self._access.refusal("cscc/GetChannels", transaction.creator)
        if refusal is not None:
            return error(f"access denied for [GetChannels]: {refusal}")
        return success(encode_channel_ids(self._channels.ids()))
