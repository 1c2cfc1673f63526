"""A channel's configuration: whom it names, which policies it has, and what may follow it (common/configtx)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.simulation.judge.ledger import policies
from tests.simulation.judge.ledger.members import Member, Msp, NoMember, msp
from tests.simulation.judge.ledger.messages import Unreadable, common, configtx, identities, ordering, read
from tests.simulation.judge.ledger.messages import policies as policy_messages

Path = tuple[str, ...]


class NotNext(Exception):
    """A configuration that does not follow; the text says why."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A message somebody is said to have signed."""

    identity: bytes
    message: bytes
    signature: bytes


class ChannelConfig:
    """The configuration in force. Raises Unreadable for what is none."""

    def __init__(self, channel_id: str, config: Any) -> None:
        self.channel_id = channel_id
        self.sequence: int = config.sequence
        self.group = config.channel_group
        self.msps: dict[str, Msp] = {}
        self._members: dict[bytes, Member] = {}
        for section in ("Application", "Orderer"):
            for organisation in self.group.groups[section].groups.values() if section in self.group.groups else ():
                try:
                    found = msp(organisation.values["MSP"].value)
                except NoMember as error:
                    raise Unreadable(f"an MSP: {error}") from error
                self.msps[found.msp_id] = found

    @cached_property
    def application_orgs(self) -> dict[str, str]:
        """Group names by MSP id."""
        groups = self.group.groups["Application"].groups
        return {msp(groups[name].values["MSP"].value).msp_id: name for name in sorted(groups)}

    @cached_property
    def consensus_type(self) -> str:
        value = self.group.groups["Orderer"].values["ConsensusType"].value
        return str(read(ordering.ConsensusType, value).type)

    def member(self, serialized: bytes) -> Member:
        """Whoever a msp.SerializedIdentity names. Raises NoMember."""
        if serialized not in self._members:
            try:
                identity = read(identities.SerializedIdentity, serialized)
            except Unreadable as error:
                raise NoMember from error
            if identity.mspid not in self.msps:
                raise NoMember
            self._members[serialized] = self.msps[identity.mspid].member(identity.id_bytes)
        return self._members[serialized]

    def signers(self, signed: Iterable[Signed]) -> list[Member]:
        """Those whose signatures are good, each once (policies SignatureSetToValidIdentities)."""
        found: dict[tuple[str, bytes], Member] = {}
        for each in signed:
            try:
                member = self.member(each.identity)
            except NoMember:
                continue
            if (member.msp_id, member.same) not in found and member.signed(each.message, each.signature):
                found[member.msp_id, member.same] = member
        return list(found.values())

    def has_policy(self, path: str) -> bool:
        return self._policy(path) is not None

    def satisfies(self, path: str, members: Sequence[Member]) -> bool:
        """Whether members satisfy the policy at an absolute path; nobody satisfies one that is not there."""
        found = self._policy(path)
        return found is not None and self._satisfies(*found, members)

    def satisfies_signature_policy(self, envelope: Any, members: Sequence[Member]) -> bool:
        return policies.satisfies(envelope, members, self.msps)

    def _policy(self, path: str) -> tuple[Any, Any] | None:
        """A policy and the group that it stands in (policies Manager GetPolicy)."""
        root, *names, name = path.split("/")[1:]
        group = self.group
        for step in names:
            if step not in group.groups:
                return None
            group = group.groups[step]
        if root != "Channel" or name not in group.policies:
            return None
        return group, group.policies[name].policy

    def _satisfies(self, group: Any, policy: Any, members: Sequence[Member]) -> bool:
        if policy.type == policy_messages.Policy.SIGNATURE:
            envelope = read(policy_messages.SignaturePolicyEnvelope, policy.value)
            return self.satisfies_signature_policy(envelope, members)
        if policy.type != policy_messages.Policy.IMPLICIT_META:
            return False
        return self._satisfies_below(group, read(policy_messages.ImplicitMetaPolicy, policy.value), members)

    def _satisfies_below(self, group: Any, rule: Any, members: Sequence[Member]) -> bool:
        """How many of the groups below must be satisfied, each by its policy of that name (implicitmeta.go)."""
        below = list(group.groups.values())
        needed = {rule.ANY: 1, rule.ALL: len(below), rule.MAJORITY: len(below) // 2 + 1}[rule.rule]
        met = [
            child
            for child in below
            if rule.sub_policy in child.policies
            and self._satisfies(child, child.policies[rule.sub_policy].policy, members)
        ]
        return not below or len(met) >= needed


def genesis_config(channel_id: str, data: bytes) -> ChannelConfig:
    """The first configuration, taken on trust."""
    return ChannelConfig(channel_id, read(configtx.ConfigEnvelope, data).config)


def next_config(config: ChannelConfig, data: bytes) -> ChannelConfig:
    """The configuration in force after a CONFIG transaction (ValidatorImpl Validate). Raises NotNext, Unreadable."""
    envelope = read(configtx.ConfigEnvelope, data)
    _require(envelope.config.sequence == config.sequence + 1, "sequence")
    update = read(configtx.ConfigUpdateEnvelope, read(common.Payload, envelope.last_update.payload).data)
    _require(_updated_group(config, update) == envelope.config.channel_group, "not what the update comes to")
    return ChannelConfig(config.channel_id, envelope.config)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise NotNext(otherwise)


def _updated_group(config: ChannelConfig, envelope: Any) -> Any:
    """What an update, if it is allowed, makes of the configuration (authorizeUpdate, computeUpdateResult)."""
    update = read(configtx.ConfigUpdate, envelope.config_update)
    _require(update.channel_id == config.channel_id, "another channel")
    current, was_read, written = (_elements(group) for group in (config.group, update.read_set, update.write_set))
    for path, element in was_read.items():
        _require(path in current and current[path].version == element.version, f"{path} is at another version")
    changed = {
        path: element
        for path, element in written.items()
        if path not in was_read or was_read[path].version != element.version
    }
    _require(bool(changed), "nothing changes")
    signers = config.signers(_signatures(envelope))
    for path, element in changed.items():
        if path not in current:
            _require(element.version == 0, f"new {path} is not at version 0")
            continue
        _require(element.version == current[path].version + 1, f"{path} is not at the next version")
        _require(config.satisfies(_mod_policy(path, current[path]), signers), f"{path}: mod_policy not satisfied")
    return _assembled(("groups", "Channel"), current | changed)


def _signatures(envelope: Any) -> Iterable[Signed]:
    for each in envelope.signatures:
        creator = read(common.SignatureHeader, each.signature_header).creator
        yield Signed(creator, each.signature_header + envelope.config_update, each.signature)


def _elements(root: Any) -> dict[Path, Any]:
    """Every group, value and policy by its kind and path (configmap.go mapConfig)."""
    found: dict[Path, Any] = {}

    def visit(path: Path, group: Any) -> None:
        found[("groups", *path)] = group
        for part in ("values", "policies"):
            for name, element in getattr(group, part).items():
                found[(part, *path, name)] = element
        for name, child in group.groups.items():
            visit((*path, name), child)

    visit(("Channel",), root)
    return found


def _mod_policy(path: Path, element: Any) -> str:
    """Whose consent a change needs: relative to the group itself, or to the one that an element stands in."""
    kind, *names = path
    if element.mod_policy.startswith("/"):
        return str(element.mod_policy)
    return "/" + "/".join([*(names if kind == "groups" else names[:-1]), element.mod_policy])


def _assembled(path: Path, elements: dict[Path, Any]) -> Any:
    """A group with what it lists, all of it in its newest form (configMapToConfig)."""
    template = elements[path]
    group = configtx.ConfigGroup(version=template.version, mod_policy=template.mod_policy)
    names = path[1:]
    for part in ("values", "policies"):
        for name in getattr(template, part):
            getattr(group, part)[name].CopyFrom(elements[(part, *names, name)])
    for name in template.groups:
        group.groups[name].CopyFrom(_assembled(("groups", *names, name), elements))
    return group
