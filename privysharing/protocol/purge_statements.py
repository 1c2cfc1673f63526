"""A peer's signed word that a private value is gone: verified by anybody who has the channel's configuration.

It proves who said what, not that it is true: whoever runs a peer can copy what it held.
"""

from collections.abc import Callable

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.private_data import encode_purge_statement, parse_purge_statement
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.private_data import PurgeStatement, SignedPurgeStatement
from privysharing.protocol.private_exchange import STATEMENT_CONTEXT, S, peers_of


class BadStatement(ProtocolError):
    """A purge statement that is none, or not that of the peer it names."""


def sign_statement(statement: PurgeStatement, signer: SigningIdentity) -> SignedPurgeStatement:
    """The statement of the peer whose identity it names."""
    raw = encode_purge_statement(statement)
    return SignedPurgeStatement(raw, signer.sign(STATEMENT_CONTEXT + raw))


def verify_statement(signed: SignedPurgeStatement, config: ChannelConfig) -> tuple[Identity, PurgeStatement]:
    """Who of the channel's peers stated what. Offline: nothing but the channel's configuration is needed.

    The peer's certificate may have expired since. Raises BadStatement.
    """
    made_ns = _parse(signed).time_ns
    return read_statement(signed, config.channel_id, peers_of(config, made_ns))


def read_statement(
    signed: SignedPurgeStatement, channel_id: str, find: Callable[[bytes], S]
) -> tuple[S, PurgeStatement]:
    """Who stated what about a channel, among those whom `find` knows (see `private_exchange.open_response`).

    Raises BadStatement.
    """
    statement = _parse(signed)
    if statement.channel_id != channel_id:
        raise BadStatement(f"the statement is about channel {statement.channel_id}, not {channel_id}")
    try:
        peer = find(statement.peer)
    except ProtocolError as error:
        raise BadStatement(f"the peer that the statement names does not count: {error}") from None
    if not peer.verify(STATEMENT_CONTEXT + signed.statement, signed.signature):
        raise BadStatement(f"the statement is not signed by the peer of {peer.msp_id} that it names")
    return peer, statement


def _parse(signed: SignedPurgeStatement) -> PurgeStatement:
    try:
        return parse_purge_statement(signed.statement)
    except MalformedMessage as error:
        raise BadStatement(str(error)) from None
