"""An orderer: what may enter, and what becomes of records in the log that no honest orderer would have written."""

import random
from functools import partial
from pathlib import Path
from zlib import crc32

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.ordering import encode_record
from privysharing.protocol.ordering import LogPosition, RecordClass, Regular, TimeToCut
from services.orderer.admission import Clock
from services.orderer.chain import ChainContext
from services.orderer.channels import Channels, Genesis
from services.orderer.intake import Intake
from services.orderer.metrics import OrdererMetrics
from services.orderer.sequencer import Cut, Effect, Sequencer, Skip
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.fuzz import messages
from tests.fuzz.material import ADMINS, CHANNEL, GENESIS, NOW_NS, ORDERER, cold_config
from tests.fuzz.mutate import Hand, Mutator, spoilt
from tests.fuzz.oracle import check_told, require
from tests.fuzz.targets.loops import Loop

WINDOW_NS = 600 * 1_000_000_000
_START = LogPosition(0)
RECORDS_SPOILT = 0.3
COLD = 16  # every so many inputs meet a channel with nothing in any cache


def some_envelope(chance: random.Random, mutator: Mutator, config: ChannelConfig) -> bytes:
    """A transaction, an update, a configuration, or what belongs elsewhere."""
    nonce, kind = chance.randbytes(24), chance.randrange(10)
    if kind < 5:
        call = messages.some_call(chance, nonce)
        return spoilt(chance, mutator, lambda hand: messages.transaction(hand, call))
    if kind < 8:
        return spoilt(chance, mutator, lambda hand: messages.config_update(hand, chance, config, nonce))
    if kind == 8:
        return spoilt(chance, mutator, lambda hand: messages.configuration(hand, chance, config, nonce))
    return spoilt(chance, mutator, lambda hand: messages.seek(hand, chance, nonce, ADMINS[0]))


class Admitting:
    """Envelopes at the door. Each is refused in words, or admitted in a form that a sequencer takes without a doubt."""

    name = "intake"

    def __init__(self) -> None:
        self._config = cold_config()
        clock = Clock(NOW_NS, WINDOW_NS)
        loop = Loop()
        self.close = loop.close
        channels = opened_channels(loop)
        self._intake = Intake(channels, ORDERER, lambda: clock, OrdererMetrics(Registry()))

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        return some_envelope(chance, mutator, self._config)

    def feed(self, raw: bytes) -> str:
        (progress,) = self._intake.judge([raw], self._intake.clock())
        if progress.record is None:
            (answer,) = self._intake.conclude([progress])
            check_told(answer.info)
            require(answer.status.value >= 400, "a refusal that says nothing")
            return f"refused {answer.status.name}"
        (again,) = self._intake.judge([raw], self._intake.clock())
        require(again.record is not None, "admitted once, and not again")
        sequencer = Sequencer(self._config, 1, _START)
        effects = sequencer.take(1, encode_record(progress.record))
        effects += sequencer.take(2, encode_record(TimeToCut(1)))
        blocks = [effect for effect in effects if isinstance(effect, Cut)]
        require(len(blocks) == 1, f"admitted, and then {effects}")
        return f"admitted {progress.record.kind.name}"


class Sequencing:
    """Records of the log. Two sequencers do the same; what means nothing changes nothing, and honest ones go on."""

    name = "sequencer"
    records = 4

    def __init__(self) -> None:
        self._config, self._other = cold_config(), cold_config()
        nonce = b"h" * 24
        call = messages.some_call(random.Random(7), nonce)
        self._honest = messages.transaction(Hand(), call)

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        """Records, each behind its length in four bytes."""
        made = []
        for _ in range(chance.randint(1, self.records)):
            envelope = some_envelope(chance, mutator, self._config)
            is_config = _is_config(envelope)
            if chance.random() < RECORDS_SPOILT:
                made.append(
                    spoilt(
                        chance,
                        mutator,
                        partial(messages.record, chance=chance, envelope_bytes=envelope, is_config=is_config),
                    )
                )
            else:
                made.append(messages.record(Hand(), chance, envelope, is_config=is_config))
        return b"".join(len(each).to_bytes(4, "big") + each for each in made)

    def feed(self, raw: bytes) -> str:
        one, other = Sequencer(self._config, 1, _START), Sequencer(self._twin(raw), 1, _START)
        outcomes = []
        offset = 1
        for record in split(raw):
            before = _state(one)
            effects, twins = one.take(offset, record), other.take(offset, record)
            require(_comparable(effects) == _comparable(twins), f"two orderers differ: {effects} {twins}")
            if effects and all(isinstance(effect, Skip) for effect in effects):
                after = _state(one)
                require(after[:3] == before[:3], f"a skipped record changed {before} to {after}")
            outcomes += [type(effect).__name__ for effect in effects]
            offset += 1
        self._goes_on(one, offset)
        return " ".join(sorted(set(outcomes))) or "pending"

    def _twin(self, raw: bytes) -> ChannelConfig:
        return cold_config() if crc32(raw) % COLD == 0 else self._other

    def _goes_on(self, sequencer: Sequencer, offset: int) -> None:
        """An honest envelope is ordered, whatever stands before it in the log."""
        record = Regular(self._honest, sequencer.config.sequence, RecordClass.NORMAL)
        height = sequencer.next_block
        effects = sequencer.take(offset, encode_record(record))
        effects += sequencer.take(offset + 1, encode_record(TimeToCut(sequencer.next_block)))
        ordered = [each for effect in effects if isinstance(effect, Cut) for each in effect.envelopes]
        refused = [effect for effect in effects if isinstance(effect, Skip)]
        require(ordered or refused, f"from block {height} on the chain does nothing any more")


def split(raw: bytes) -> list[bytes]:
    """Parts, each behind its length in four bytes."""
    found = []
    while len(raw) >= 4:
        size = int.from_bytes(raw[:4], "big")
        found.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return found


def _state(sequencer: Sequencer) -> tuple[object, ...]:
    return sequencer.next_block, sequencer.pending, sequencer.config.sequence, sequencer.awaits_config


def _comparable(effects: list[Effect]) -> list[object]:
    return [
        (effect.envelopes, effect.position, effect.config and effect.config.raw) if isinstance(effect, Cut) else effect
        for effect in effects
    ]


def _is_config(envelope: bytes) -> bool:
    try:
        return parse_payload(parse_envelope(envelope).payload).header.channel.type == 1
    except Exception:
        return False


def opened_channels(loop: Loop) -> Channels:
    """The channels of an orderer that has made no block yet; nothing of it runs."""
    channels = Channels(MemoryDisk(), Path("/orderer"), ChainContext(ORDERER, OrdererMetrics(Registry()), 0.0))
    loop.run(channels.open([Genesis(CHANNEL, GENESIS)]))
    return channels
