"""Who may use which resource of this peer (core/aclmgmt, core/policy), with Fabric's texts.

A resource of a channel is guarded by a policy of that channel, a resource of the peer itself by the peer's own MSP.
Whoever asks has been identified and his signature verified: nothing is verified twice.
"""

from typing import Final

from privysharing.protocol.channel.acls import DEFAULT_ACLS, PEER_ADMINS, PEER_MEMBERS
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.errors import UnknownResource
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.policies.unmet import unmet

PROPOSE: Final = "peer/Propose"
CHAINCODE_TO_CHAINCODE: Final = "peer/ChaincodeToChaincode"


class AccessControl:
    """Answers with the reason for a refusal, None when there is none."""

    def __init__(self, local_msp: Msp) -> None:
        self._msp_id = local_msp.name
        self._local = MspManager([local_msp])

    def identify(self, serialized: bytes) -> Identity:
        """Somebody by the peer's own MSP, valid or not; raises InvalidIdentity for strangers."""
        return self._local.deserialize(serialized)

    def refusal(
        self, resource: str, who: Identity, channel: ChannelConfig | None = None, channel_id: str = ""
    ) -> str | None:
        """Why somebody may not use a resource, of the channel if it is one of a channel's.

        Where this peer has not joined the channel, `channel` is None and `channel_id` says which was meant.
        """
        if resource in PEER_ADMINS:
            return self._local_refusal("Admins", MspRole.ADMIN, who)
        if resource in PEER_MEMBERS:
            return self._local_refusal("Members", MspRole.MEMBER, who)
        if channel is None:
            return _without_channel(resource, channel_id)
        try:
            path = channel.acl(resource)
        except UnknownResource as error:
            return str(error)
        members = _as_member(channel, who)
        if channel.policy(path).evaluate(members):
            return None
        why = _why(channel, path, members)
        if resource in channel.acls:
            return f"failed evaluating policy on signed data during check policy [{path}]: [{why}]"
        return (
            f"Failed evaluating policy on signed data during check policy on channel [{channel.channel_id}] "
            f"with policy [{path}]: [{why}]"
        )

    def _local_refusal(self, policy: str, role: MspRole, who: Identity) -> str | None:
        checking = f"during channelless check policy with policy [{policy}]"
        if who.msp_id != self._msp_id:
            why = f"expected MSP ID {self._msp_id}, received {who.msp_id}"
            return f"Failed deserializing proposal creator {checking}: [{why}]"
        try:
            local = self._local.deserialize(who.serialized)
        except InvalidIdentity as error:
            return f"Failed deserializing proposal creator {checking}: [{error}]"
        if self._local.satisfies(local, RolePrincipal(self._msp_id, role)):
            return None
        if role is MspRole.ADMIN:
            why = (
                f"The identity is not an admin under this MSP [{self._msp_id}]: The identity does not contain OU "
                f"[ADMIN], MSP: [{self._msp_id}]"
            )
        else:
            why = f"The identity is not valid under this MSP [{self._msp_id}]: {local.fault}"
        return f"Failed verifying that proposal's creator satisfies local MSP principal {checking}: [{why}]"


def _without_channel(resource: str, channel_id: str) -> str:
    if resource not in DEFAULT_ACLS:
        return f"Unmapped policy for {resource}"
    if channel_id:
        return f"Failed to get policy manager for channel [{channel_id}]"
    policy = DEFAULT_ACLS[resource]
    return (
        f"Failed getting local MSP principal during channelless check policy with policy [{policy}]: "
        f"[MSP Principal role [{policy}] not recognized]"
    )


def _as_member(channel: ChannelConfig, who: Identity) -> tuple[Identity, ...]:
    """Somebody as this channel sees him, which need not be the channel that he came by; nobody if it does not."""
    try:
        return (channel.msps.deserialize(who.serialized),)
    except InvalidIdentity:
        return ()


def _why(channel: ChannelConfig, path: str, members: tuple[Identity, ...]) -> str:
    if not channel.has_policy(path):
        return f"no such policy: '{path}'"
    return unmet(channel.policy(path), members)
