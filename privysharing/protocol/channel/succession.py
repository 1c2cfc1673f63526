"""What may not change from one configuration of a channel to the next, whoever signs (channelconfig ValidateNew)."""

from collections.abc import Mapping

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.errors import ConfigUpdateRefused
from privysharing.protocol.channel.groups import Org


def check_succession(current: ChannelConfig, following: ChannelConfig) -> None:
    """Refuse a configuration in which an organisation passes for another one.

    Fabric also forbids a change of consensus type below capability V1_4_2, and orderers without endpoints from V3_0
    on; reading a configuration refuses both before this is asked.
    """
    _check_msp_ids("orderer", current.orderer_orgs, following.orderer_orgs)
    _check_msp_ids("application", current.application_orgs, following.application_orgs)


def _check_msp_ids(kind: str, current: Mapping[str, Org], following: Mapping[str, Org]) -> None:
    for name, org in current.items():
        successor = following.get(name)
        if successor is not None and successor.msp_id != org.msp_id:
            raise ConfigUpdateRefused(
                f"{kind} org {name} attempted to change MSP ID from {org.msp_id} to {successor.msp_id}"
            )
