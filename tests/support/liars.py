"""Nodes and clients that lie: pure builders, no I/O. Each has its keys and a `random.Random`, and nothing else.

A lie is a name in `LIES` of its class; `None` lets the liar choose one. What comes out is signed properly wherever the
liar holds the key, so that only the lie itself can give it away.

    LyingEndorser(signer, draw).answer(honest_answer, lie)          another protos.ProposalResponse
    LyingClient(signer, draw).envelope(proposal, answers, lie)      another common.Envelope than was endorsed
    LyingOrderer(signer, draw).block(honest_block, lie)             another common.Block than was cut
    LyingOrderer(signer, draw).twin(honest_block)                   its properly signed double, of one height
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from privysharing.protocol.blocks import Block, MetadataIndex, data_hash
from privysharing.protocol.build import endorse, endorsement_message, make_payload, signed
from privysharing.protocol.codec.blocks import encode_orderer_metadata, last_config_index, parse_orderer_metadata
from privysharing.protocol.codec.envelopes import encode_channel_header, encode_signature_header
from privysharing.protocol.codec.msps import encode_serialized_identity, parse_serialized_identity
from privysharing.protocol.codec.rwsets import encode_tx_rwset, parse_tx_rwset
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_endorser_transaction,
    encode_invocation,
    encode_proposal_payload,
    encode_proposal_response_payload,
    parse_chaincode_action,
    parse_proposal_response_payload,
)
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import NONCE_BYTES, Header, SignatureHeader, compute_tx_id
from privysharing.protocol.msp.certificates import der, parse_certificate
from privysharing.protocol.rwsets import NamespaceRwSet, Read, TxRwSet, Version, Write
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    Proposal,
    ProposalResponse,
)
from services.orderer.sealing import config_envelope, position_of, seal

FORGED: Final = b"forged"  # what liars write


def with_action(payload: bytes, change: Callable[[ChaincodeAction], ChaincodeAction]) -> bytes:
    """A ProposalResponsePayload with another ChaincodeAction."""
    proposal_hash, action = parse_proposal_response_payload(payload)
    changed = change(parse_chaincode_action(action))
    return encode_proposal_response_payload(proposal_hash, encode_chaincode_action(changed))


def with_rwset(payload: bytes, change: Callable[[NamespaceRwSet], NamespaceRwSet]) -> bytes:
    """A ProposalResponsePayload in which the newest namespace of the read/write set is another."""

    def changed(action: ChaincodeAction) -> ChaincodeAction:
        *others, last = parse_tx_rwset(action.results).namespaces or (NamespaceRwSet("forged"),)
        return replace(action, results=encode_tx_rwset(TxRwSet((*others, change(last)))))

    return with_action(payload, changed)


def forged_writes(ns: NamespaceRwSet) -> NamespaceRwSet:
    """The same keys are written, with a value of the liar's; one more where there is none."""
    keys = [write.key for write in ns.writes] or ["forged"]
    return replace(ns, writes=tuple(Write(key, FORGED) for key in keys))


def guessed_versions(ns: NamespaceRwSet) -> NamespaceRwSet:
    """What was read is said to be of the next version; the key that is written, if nothing was read."""
    reads = ns.reads or tuple(Read(write.key, None) for write in ns.writes) or (Read("forged", None),)
    newer = (Version(read.version.block_num + 1, 0) if read.version else Version(1, 0) for read in reads)
    return replace(ns, reads=tuple(Read(read.key, version) for read, version in zip(reads, newer, strict=True)))


def flipped(raw: bytes, draw: Random) -> bytes:
    """One bit of it is another."""
    bit = draw.randrange(8 * len(raw))
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class LyingEndorser:
    """A peer that owns its key, and answers a proposal with something else than its simulation came to."""

    def __init__(self, signer: SigningIdentity, draw: Random) -> None:
        self._signer = signer
        self._draw = draw
        self._earlier: ProposalResponse | None = None

    def answer(self, honest: ProposalResponse, lie: str | None = None) -> ProposalResponse:
        """A lie instead of the honest answer. A replay needs an earlier one: the first is answered honestly."""
        told = self.LIES[lie or self._draw.choice(sorted(self.LIES))](self, honest)
        self._earlier = honest
        return told

    def _signed(self, honest: ProposalResponse, payload: bytes) -> ProposalResponse:
        return replace(honest, payload=payload, endorsement=endorse(payload, self._signer))

    def _forged_result(self, honest: ProposalResponse) -> ProposalResponse:
        return self._signed(honest, with_rwset(honest.payload, forged_writes))

    def _guessed_versions(self, honest: ProposalResponse) -> ProposalResponse:
        return self._signed(honest, with_rwset(honest.payload, guessed_versions))

    def _forged_response(self, honest: ProposalResponse) -> ProposalResponse:
        """The client is told another result than the endorsed one."""
        response = replace(honest.response, payload=FORGED)
        told = self._signed(honest, with_action(honest.payload, lambda action: replace(action, response=response)))
        return replace(told, response=response)

    def _two_tongues(self, honest: ProposalResponse) -> ProposalResponse:
        """What it signs is honest, and what it says beside that is not."""
        signed_honestly = self._signed(honest, honest.payload)
        return replace(signed_honestly, response=replace(honest.response, payload=FORGED))

    def _signs_other_bytes(self, honest: ProposalResponse) -> ProposalResponse:
        signature = self._signer.sign(FORGED)
        return replace(honest, endorsement=Endorsement(self._signer.serialized, signature))

    def _flipped_signature(self, honest: ProposalResponse) -> ProposalResponse:
        good = endorse(honest.payload, self._signer)
        return replace(honest, endorsement=Endorsement(good.endorser, flipped(good.signature, self._draw)))

    def _named(self, honest: ProposalResponse, endorser: bytes) -> ProposalResponse:
        message = endorsement_message(honest.payload, endorser)
        return replace(honest, endorsement=Endorsement(endorser, self._signer.sign(message)))

    def _of_another_organisation(self, honest: ProposalResponse) -> ProposalResponse:
        _, certificate = parse_serialized_identity(self._signer.serialized)
        return self._named(honest, encode_serialized_identity("ForgedMSP", certificate))

    def _made_up_certificate(self, honest: ProposalResponse) -> ProposalResponse:
        """Its own key, in a certificate that its organisation's CA did not sign so."""
        msp_id, certificate = parse_serialized_identity(self._signer.serialized)
        *body, last = der(parse_certificate(certificate))
        text = base64.encodebytes(bytes((*body, last ^ 1)))
        pem = b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"
        return self._named(honest, encode_serialized_identity(msp_id, pem))

    def _replayed(self, honest: ProposalResponse) -> ProposalResponse:
        return self._earlier or honest

    def _of_another_chaincode(self, honest: ProposalResponse) -> ProposalResponse:
        other = ChaincodeId("forged", "1")
        return self._signed(honest, with_action(honest.payload, lambda action: replace(action, chaincode=other)))

    def _of_a_wrong_version(self, honest: ProposalResponse) -> ProposalResponse:
        def later(action: ChaincodeAction) -> ChaincodeAction:
            assert action.chaincode is not None
            return replace(action, chaincode=replace(action.chaincode, version="forged"))

        return self._signed(honest, with_action(honest.payload, later))

    def _of_another_proposal(self, honest: ProposalResponse) -> ProposalResponse:
        _, action = parse_proposal_response_payload(honest.payload)
        return self._signed(honest, encode_proposal_response_payload(self._draw.randbytes(32), action))

    def _unendorsed(self, honest: ProposalResponse) -> ProposalResponse:
        return replace(honest, endorsement=None)

    def _nonsense(self, honest: ProposalResponse) -> ProposalResponse:
        return self._signed(honest, b"\xff" + self._draw.randbytes(20))

    LIES: Final[dict[str, Callable[["LyingEndorser", ProposalResponse], ProposalResponse]]] = {
        "forged result": _forged_result,
        "guessed versions": _guessed_versions,
        "forged response": _forged_response,
        "two tongues": _two_tongues,
        "signs other bytes": _signs_other_bytes,
        "flipped signature": _flipped_signature,
        "of another organisation": _of_another_organisation,
        "made-up certificate": _made_up_certificate,
        "replayed": _replayed,
        "of another chaincode": _of_another_chaincode,
        "of a wrong version": _of_a_wrong_version,
        "of another proposal": _of_another_proposal,
        "unendorsed": _unendorsed,
        "nonsense": _nonsense,
    }


class LyingClient:
    """A client that makes its envelope of what it likes, and signs it."""

    def __init__(self, signer: SigningIdentity, draw: Random) -> None:
        self._signer = signer
        self._draw = draw

    def envelope(self, proposal: Proposal, answers: Sequence[ProposalResponse], lie: str | None = None) -> bytes:
        """Of honest answers to an honest proposal of its own, which all are equal."""
        return self.LIES[lie or self._draw.choice(sorted(self.LIES))](self, proposal, answers)

    def _made(
        self,
        proposal: Proposal,
        payload: bytes,
        endorsements: Sequence[Endorsement],
        *,
        header: Header | None = None,
        proposal_payload: bytes | None = None,
    ) -> bytes:
        data = encode_endorser_transaction(
            proposal.header.signature_bytes if header is None else header.signature_bytes,
            proposal.payload_without_transient if proposal_payload is None else proposal_payload,
            payload,
            endorsements,
        )
        return signed(make_payload(header or proposal.header, data), self._signer).raw

    def _edited_writes(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        return self._made(proposal, with_rwset(answers[0].payload, forged_writes), _all(answers))

    def _guessed_versions(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        return self._made(proposal, with_rwset(answers[0].payload, guessed_versions), _all(answers))

    def _dropped_reads(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        """Nothing was read, so nothing can be stale."""
        blind = with_rwset(answers[0].payload, lambda ns: replace(ns, reads=(), range_queries=()))
        return self._made(proposal, blind, _all(answers))

    def _other_arguments(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        """It shows another proposal than the endorsers have seen."""
        other = ChaincodeInput((*proposal.input.args, FORGED))
        shown = encode_proposal_payload(encode_invocation(proposal.chaincode, other))
        return self._made(proposal, answers[0].payload, _all(answers), proposal_payload=shown)

    def _re_dated(self, proposal: Proposal, answers: Sequence[ProposalResponse], by_ns: int) -> bytes:
        """Its time is moved after it was endorsed."""
        channel = proposal.header.channel
        assert channel.timestamp_ns is not None
        moved = replace(channel, timestamp_ns=channel.timestamp_ns + by_ns)
        header = replace(proposal.header, channel=moved, channel_bytes=encode_channel_header(moved))
        return self._made(proposal, answers[0].payload, _all(answers), header=header)

    def _back_dated(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        return self._re_dated(proposal, answers, -60 * 1_000_000_000)

    def _post_dated(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        return self._re_dated(proposal, answers, 60 * 1_000_000_000)

    def _new_id(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        """The same endorsements under an id that was never used: a replay that is none by its id."""
        signature = SignatureHeader(self._signer.serialized, self._draw.randbytes(NONCE_BYTES))
        channel = replace(proposal.header.channel, tx_id=compute_tx_id(signature.nonce, signature.creator))
        header = Header(channel, signature, encode_channel_header(channel), encode_signature_header(signature))
        return self._made(proposal, answers[0].payload, _all(answers), header=header)

    def _too_few(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        return self._made(proposal, answers[0].payload, _all(answers)[:1])

    def _none(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        return self._made(proposal, answers[0].payload, ())

    def _one_twice(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        return self._made(proposal, answers[0].payload, _all(answers)[:1] * len(answers))

    def _one_in_two_forms(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        """One endorser, counted again under a flipped copy of its name."""
        first = _all(answers)[0]
        again = Endorsement(flipped(first.endorser, self._draw), first.signature)
        return self._made(proposal, answers[0].payload, (first, again))

    def _its_own(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        """It endorses for itself what it wants written."""
        forged = with_rwset(answers[0].payload, forged_writes)
        return self._made(proposal, forged, (endorse(forged, self._signer),))

    def _its_own_besides(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        payload = answers[0].payload
        return self._made(proposal, payload, (*_all(answers)[:1], endorse(payload, self._signer)))

    def _swapped_signatures(self, proposal: Proposal, answers: Sequence[ProposalResponse]) -> bytes:
        first, second, *_ = _all(answers)
        crossed = (Endorsement(first.endorser, second.signature), Endorsement(second.endorser, first.signature))
        return self._made(proposal, answers[0].payload, crossed)

    LIES: Final[dict[str, Callable[["LyingClient", Proposal, Sequence[ProposalResponse]], bytes]]] = {
        "edited writes": _edited_writes,
        "guessed versions": _guessed_versions,
        "dropped reads": _dropped_reads,
        "other arguments": _other_arguments,
        "back-dated": _back_dated,
        "post-dated": _post_dated,
        "new id": _new_id,
        "too few": _too_few,
        "none": _none,
        "one twice": _one_twice,
        "one in two forms": _one_in_two_forms,
        "its own": _its_own,
        "its own besides": _its_own_besides,
        "swapped signatures": _swapped_signatures,
    }


class LyingOrderer:
    """An orderer that owns its key, and sends other blocks than it cut."""

    def __init__(self, signer: SigningIdentity, draw: Random) -> None:
        self._signer = signer
        self._draw = draw

    def twin(self, block: Block, *envelopes: bytes) -> Block:
        """Another block of the same height, as properly signed as the first: equivocation.

        Without `envelopes`, those of the block in the other order; a lone one goes in twice.
        """
        return self._sealed(block, envelopes or (block.data[::-1] if len(block.data) > 1 else block.data * 2))

    def behind(self, block: Block, previous_hash: bytes) -> Block:
        """The block behind another one than its predecessor: what the second story goes on with."""
        return self._sealed(replace(block, header=replace(block.header, previous_hash=previous_hash)), block.data)

    def _sealed(self, block: Block, data: Sequence[bytes]) -> Block:
        """Properly signed, of other data, with the number and predecessor that the block says."""
        return seal(
            replace(block.header, data_hash=data_hash(data)),
            data,
            last_config=last_config_index(block),
            position=position_of(block),
            signer=self._signer,
            nonce=self._draw.randbytes(NONCE_BYTES),
        )

    def block(self, block: Block, lie: str | None = None) -> Block:
        """A block that no peer may take, instead of an honest one."""
        return self.LIES[lie or self._draw.choice(sorted(self.LIES))](self, block)

    def _skipped(self, block: Block) -> Block:
        return self._sealed(replace(block, header=replace(block.header, number=block.header.number + 1)), block.data)

    def _repeated(self, block: Block) -> Block:
        return self._sealed(replace(block, header=replace(block.header, number=block.header.number - 1)), block.data)

    def _wrong_previous(self, block: Block) -> Block:
        return self.behind(block, self._draw.randbytes(32))

    def _other_data(self, block: Block) -> Block:
        return replace(block, data=block.data * 2)

    def _damaged(self, block: Block) -> Block:
        return replace(block, data=(flipped(block.data[0], self._draw), *block.data[1:]))

    def _unsigned(self, block: Block) -> Block:
        value = parse_orderer_metadata(block).value
        return block.with_metadata(MetadataIndex.SIGNATURES, encode_orderer_metadata(value))

    def _anothers_signature(self, block: Block) -> Block:
        """That of its own block of other contents."""
        return replace(self.twin(block), header=block.header, data=block.data)

    def _empty(self, block: Block) -> Block:
        return self._sealed(block, ())

    def _without_metadata(self, block: Block) -> Block:
        return replace(block, metadata=())

    LIES: Final[dict[str, Callable[["LyingOrderer", Block], Block]]] = {
        "skipped": _skipped,
        "repeated": _repeated,
        "wrong previous": _wrong_previous,
        "other data": _other_data,
        "damaged": _damaged,
        "unsigned": _unsigned,
        "another's signature": _anothers_signature,
        "empty": _empty,
        "without metadata": _without_metadata,
    }

    def forged_config(self, block: Block, channel_id: str, config: bytes) -> Block:
        """A properly signed block whose one transaction is a configuration of its own making (ConfigEnvelope)."""
        nonce = self._draw.randbytes(NONCE_BYTES)
        envelope = config_envelope(channel_id, config, signer=self._signer, now_ns=0, nonce=nonce)
        return self.twin(block, envelope)


def _all(answers: Sequence[ProposalResponse]) -> tuple[Endorsement, ...]:
    return tuple(answer.endorsement for answer in answers if answer.endorsement is not None)
