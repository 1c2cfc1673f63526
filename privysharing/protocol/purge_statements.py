"""A peer's signed word that a private value is gone: verified by anybody who has the channel's configuration.

It proves who said what, not that it is true: whoever runs a peer can copy what it held.
"""

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.private_data import encode_purge_statement, parse_purge_statement
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.private_data import PurgeStatement, SignedPurgeStatement
from privysharing.protocol.private_exchange import STATEMENT_CONTEXT, is_peer
from privysharing.protocol.values import value


class BadStatement(ProtocolError):
    """A purge statement that is none, or not that of the peer it names."""


@value
class VerifiedStatement:
    """What was stated, and by whom."""

    statement: PurgeStatement
    peer: Identity


def sign_statement(statement: PurgeStatement, signer: SigningIdentity) -> SignedPurgeStatement:
    """The statement of the peer whose identity it names."""
    raw = encode_purge_statement(statement)
    return SignedPurgeStatement(raw, signer.sign(STATEMENT_CONTEXT + raw))


def verify_statement(signed: SignedPurgeStatement, config: ChannelConfig) -> VerifiedStatement:
    """What a peer of the channel stated. Offline: nothing but the channel's configuration is needed.

    The peer's certificate may have expired since. Raises BadStatement.
    """
    try:
        statement = parse_purge_statement(signed.statement)
    except MalformedMessage as error:
        raise BadStatement(str(error)) from None
    if statement.channel_id != config.channel_id:
        raise BadStatement(f"the statement is about channel {statement.channel_id}, not {config.channel_id}")
    try:
        peer = config.msps.identity(statement.peer)
    except InvalidIdentity as error:
        raise BadStatement(f"the statement names no identity of the channel: {error}") from None
    if not is_peer(peer, config):
        raise BadStatement(f"the statement is by somebody of {peer.msp_id}, who is no peer of the channel")
    if not peer.verify(STATEMENT_CONTEXT + signed.statement, signed.signature):
        raise BadStatement(f"the statement is not signed by the peer of {peer.msp_id} that it names")
    if statement.time_ns > peer.expires_at_ns:
        raise BadStatement("the statement was made after its peer's certificate had expired")
    return VerifiedStatement(statement, peer)
