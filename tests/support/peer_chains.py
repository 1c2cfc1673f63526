"""A channel that grows as a real one does: an orderer's code seals blocks, a peer's code judges and stores them."""

from privysharing.protocol.blocks import Block, BlockHeader, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.policies import encode_application_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.protocol.lifecycle_state import NAMESPACES, definition_structure, store
from privysharing.protocol.ordering import LogPosition
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.policies.signature import ChannelPolicyReference
from privysharing.protocol.rwsets import NamespaceRwSet, Write
from privysharing.protocol.signers import verify_all
from privysharing.protocol.transactions import ChaincodeId
from services.orderer.sealing import config_envelope, next_header, seal
from services.peer.commits import make_commit
from services.peer.committer import store_genesis
from services.peer.ledger.memory import MemoryLedger
from services.peer.validation.validate import read_block, validate_block
from tests.support.judging import CHANNEL, CONFIG, GENESIS, ORDERER, Tx


class PeerChannel:
    """The channel of `support.judging`, from its genesis block on. `ordered`: the blocks as an orderer sends them."""

    def __init__(self) -> None:
        self.config: ChannelConfig = CONFIG
        self.ledger = MemoryLedger(CHANNEL)
        self.ordered: list[bytes] = [encode_block(GENESIS)]
        store_genesis(self.ledger, GENESIS)
        self._tip = GENESIS
        self._last_config = 0

    def add(self, *envelopes: bytes) -> tuple[int, ...]:
        """Order a block of these envelopes, have the peer commit it, and return its verdicts."""
        block = self.sealed(*envelopes)
        number = block.header.number
        transactions = read_block(block)
        signers = verify_all(transactions, CHANNEL, self.config.msps)
        judgement = validate_block(number, transactions, signers, self.config, self.ledger.state)
        self.ledger.append(
            make_commit(block, transactions, judgement.verdicts, judgement.updates, self.ledger.commit_hash)
        )
        self.config = judgement.config or self.config
        self._tip = block
        self.ordered.append(encode_block(block))
        return judgement.verdicts

    def sealed(
        self,
        *envelopes: bytes,
        header: BlockHeader | None = None,
        last_config: int | None = None,
        ends_at: int | None = None,
        signer: SigningIdentity = ORDERER,
    ) -> Block:
        """The next block as an orderer would make it, or with something else in it."""
        number = self._tip.header.number + 1
        return seal(
            header or next_header(number, header_hash(self._tip.header), envelopes),
            envelopes,
            last_config=self._last_config if last_config is None else last_config,
            position=LogPosition(number if ends_at is None else ends_at),
            signer=signer,
            nonce=b"nonce",
        )

    def reconfigure(self, update: bytes) -> None:
        """Order a block of the configuration that a CONFIG_UPDATE envelope asks for."""
        self._last_config = self._tip.header.number + 1
        assert self.add(self.configuration(update)) == (0,)

    def configuration(self, update: bytes) -> bytes:
        """The CONFIG envelope that an orderer makes of an update."""
        return config_envelope(CHANNEL, derive(self.config, update), signer=ORDERER, now_ns=0, nonce=b"nonce")

    def define(self, chaincode: str, policy: str, *collections: CollectionConfig, sequence: int = 1) -> bytes:
        """An envelope that commits the definition of a chaincode. `policy`: a signature policy, or a channel path."""
        parameter = ChannelPolicyReference(policy) if policy.startswith("/") else parse_policy(policy)
        definition = ChaincodeDefinition(
            sequence=sequence,
            version="1",
            validation_parameter=encode_application_policy(parameter),
            collections=encode_collections(collections),
        )
        keys = _Writes()
        store(keys, NAMESPACES, chaincode, definition_structure(definition))
        writes = tuple(Write(key, value) for key, value in sorted(keys.written.items()))
        return Tx(
            called=LIFECYCLE,
            chaincode=ChaincodeId(LIFECYCLE, "syscc"),
            namespaces=(NamespaceRwSet(LIFECYCLE, writes=writes),),
        ).raw


class _Writes:
    """What storing a definition writes where nothing was."""

    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.written.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.written[key] = value

    def delete(self, key: str) -> None:
        del self.written[key]
