"""The independent model of the contract: what a call answers, and what there is on the channel afterwards.

Written from the product's rules and the contract's documentation; shares no code with the contract or a peer. It runs
calls one after the other on plain records (`world`), by `rules` for who would change something and `questions` for who
asks. Of the ledger's machinery it knows nothing: a transaction of a block is right when it answers, run alone in the
order of commits, what its endorsers answered.

Not modelled: `Describe`, the limit on how deep JSON nests, a query that is submitted (judged by its timestamp alone),
who holds which private values and for how long, and the words of a refusal beyond its code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.simulation.judge import concealed, questions, rules
from tests.simulation.judge.forms import Json, Key, Record, Refusal, canonical, parse_json, party, require
from tests.simulation.judge.world import Call, Scene, World


def _text(raw: bytes) -> str:
    return raw.decode()


def _integer(raw: bytes) -> int:
    value = parse_json(raw)
    _require(type(value) is int)
    return int(value)


def _texts(raw: bytes) -> list[str]:
    value = parse_json(raw)
    _require(isinstance(value, list) and all(isinstance(item, str) for item in value))
    return list(value)


def _objects(raw: bytes) -> list[Record]:
    value = parse_json(raw)
    _require(isinstance(value, list) and all(isinstance(item, dict) for item in value))
    return list(value)


def _object(raw: bytes) -> Record:
    value = parse_json(raw)
    _require(isinstance(value, dict))
    return dict(value)


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError


Rule = Callable[..., Json]
Reader = Callable[[bytes], Json]

# What a function is called, its rule, how its arguments are read, and how many of them it needs.
_PAGE: tuple[Reader, ...] = (_text, _integer)
FUNCTIONS: dict[str, tuple[Rule, tuple[Reader, ...], int]] = {
    "CreateAsset": (rules.create_asset, (_text, _text, _text, _text), 2),
    "UpdateAsset": (rules.update_asset, (_text, _object), 2),
    "AddReading": (rules.add_reading, (_text, parse_json, _text, _text), 3),
    "AddReadings": (rules.add_readings, (_text, _objects), 2),
    "AddPrivateReadings": (concealed.add_private_readings, (_text,), 1),
    "DeleteAsset": (rules.delete_asset, (_text, _texts), 1),
    "MintCoins": (rules.mint_coins, (_text, _integer, _text), 3),
    "BurnCoins": (rules.burn_coins, (_integer, _text, _texts), 3),
    "TransferCoins": (rules.transfer_coins, (_text, _integer, _texts), 3),
    "FileRequest": (rules.file_request, (_text, _integer, _text, _texts), 4),
    "DeclineRequest": (rules.decline_request, (_text, _text), 2),
    "CancelRequest": (rules.cancel_request, (_text,), 1),
    "ShareAsset": (rules.share_asset, (_text, _text, _integer, _texts), 4),
    "RevokeGrant": (rules.revoke_grant, (_text, _text), 2),
    "SetProfile": (rules.set_profile, (_object, _text), 1),
    "ConfigureChannel": (rules.configure_channel, (_object,), 1),
    "ReadAsset": (questions.read_asset, (_text, *_PAGE), 1),
    "ReadingHashes": (concealed.reading_hashes, (_text, *_PAGE), 1),
    "GetAsset": (questions.get_asset, (_text,), 1),
    "ListMyAssets": (questions.list_my_assets, _PAGE, 0),
    "AssetHistory": (questions.asset_history, (_text, *_PAGE), 1),
    "ListTransactions": (questions.list_transactions, _PAGE, 0),
    "ListGrants": (questions.list_grants, (_text, *_PAGE), 1),
    "ListSharedWithMe": (questions.list_shared_with_me, _PAGE, 0),
    "ListRequests": (questions.list_requests, (_text, *_PAGE, _text), 0),
    "ListMyRequests": (questions.list_my_requests, _PAGE, 0),
    "MyCoins": (questions.my_coins, (), 0),
    "AuditCoins": (questions.audit_coins, (), 0),
    "GetProfile": (questions.get_profile, (_text,), 0),
    "GetSettings": (questions.get_settings, (), 0),
}
NOT_MODELLED = frozenset(("Describe",))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call comes to: an answer in canonical JSON, or a refusal; and what it would change.

    Of kind `private.PRIVATE` is what members of a collection alone have.
    `looked_at` names the shelves of the world that the outcome depends on (a kind alone: all of that kind).
    """

    payload: bytes
    refusal: Refusal | None
    changes: Mapping[Key, Record | None]
    event: tuple[str, bytes] | None
    looked_at: frozenset[Key]

    @property
    def code(self) -> str:
        """The refusal's code; empty for an answer."""
        return self.refusal.code if self.refusal else ""


class ContractModel:
    """One channel's contract, as it must behave."""

    def __init__(self, channel: str) -> None:
        self.world = World(channel)

    def run(self, call: Call) -> Outcome:
        """The outcome of a call, of which nothing has happened yet: `World.apply` its changes when it commits."""
        scene = Scene(self.world, call)
        try:
            payload = canonical(_answer(scene, call))
        except Refusal as refusal:
            return Outcome(b"", refusal, {}, None, frozenset(scene.looked_at))
        event = (scene.event[0], canonical(scene.event[1])) if scene.event else None
        return Outcome(payload, None, scene.changes, event, frozenset(scene.looked_at))


def _answer(scene: Scene, call: Call) -> Json:
    require(call.function in FUNCTIONS, "UNKNOWN_FUNCTION", call.function)
    rule, readers, needed = FUNCTIONS[call.function]
    require(needed <= len(call.args) <= len(readers), "WRONG_ARGUMENTS")
    try:
        arguments = [read(raw) for read, raw in zip(readers, call.args, strict=False)]
    except ValueError:
        raise Refusal("BAD_ARGUMENT") from None
    party(call.who.party)
    return rule(scene, *arguments)
