"""The policies of a configuration tree, by path (common/policies Manager)."""

from collections.abc import Iterator, Mapping
from typing import Final

from privysharing.protocol.channel.config import ConfigGroup
from privysharing.protocol.channel.errors import InvalidConfig
from privysharing.protocol.codec.policies import parse_channel_policy
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.policies.implicit_meta import ImplicitMeta, ImplicitMetaEvaluator
from privysharing.protocol.policies.policy import Policy, RejectPolicy
from privysharing.protocol.policies.signature import SignaturePolicyEvaluator

REJECT: Final = RejectPolicy()


def compile_policies(root: ConfigGroup, root_path: str, msps: MspManager) -> Mapping[str, Policy]:
    """Every policy of the tree under its absolute path, such as `/Channel/Application/Writers`."""
    return dict(_compile(root, root_path, msps))


def _compile(group: ConfigGroup, path: str, msps: MspManager) -> Iterator[tuple[str, Policy]]:
    below: dict[str, Policy] = {}
    for name, child in group.groups.items():
        below.update(_compile(child, f"{path}/{name}", msps))
    yield from below.items()
    for name, policy in group.policies.items():
        try:
            definition = parse_channel_policy(policy.type, policy.value)
            if isinstance(definition, ImplicitMeta):
                children = [below.get(f"{path}/{child}/{definition.sub_policy}", REJECT) for child in group.groups]
                yield f"{path}/{name}", ImplicitMetaEvaluator(definition, children)
            else:
                yield f"{path}/{name}", SignaturePolicyEvaluator(definition, msps)
        except ProtocolError as error:
            raise InvalidConfig(f"policy {name} at path {path} did not compile: {error}") from error
