"""Broken judgements of transactions and blocks."""

from typing import Final

from tests.simulation.mutants.mutation import Mutant, mutant

MVCC = "services.peer.validation.mvcc"
VALIDATE = "services.peer.validation.validate"
ENDORSEMENTS = "services.peer.validation.endorsement:Endorsements"
SIGNERS = "privysharing.protocol.signers"
BLOCKS = "privysharing.protocol.block_checks"
FEED = "services.peer.block_feed.feed:BlockFeed"
READING = "privysharing.protocol.reading"

MUTANTS: Final[tuple[Mutant, ...]] = (
    mutant("Stale reads hold", (f"{MVCC}:_read_holds", "return read.version == (", "return True or (")),
    mutant(
        "Reads of what the same block wrote hold",
        (f"{MVCC}:_read_holds", "if updates.touches(namespace, read.key):", "if False:"),
    ),
    mutant(
        "A guessed version passes for a read",
        (f"{MVCC}:_read_holds", "return False", "return read.version == updates.pending(namespace)[read.key].version"),
    ),
    mutant(
        "Phantoms are not looked for",
        (f"{MVCC}:check_reads", "if not _range_holds(", "if False and not _range_holds("),
    ),
    mutant(
        "Phantoms of the same block are not looked for",
        (f"{MVCC}:_range", "pending = updates.pending(namespace)", "pending = {}"),
    ),
    mutant(
        "What is missing at the end of a range is not missed",
        (f"{MVCC}:_range_holds", "return next(found, None) is None", "return True"),
    ),
    mutant("An id may be used in two blocks", (f"{VALIDATE}:_refuse_known_ids", "if tx_id in known:", "if False:")),
    mutant(
        "An id may be used twice in a block", (f"{VALIDATE}:_refuse_repeated_ids", "if tx.tx_id in seen:", "if False:")
    ),
    mutant(
        "A transaction that fails its policy uses up its id within the block",
        (
            f"{VALIDATE}:_refuse_repeated_ids",
            "and verdicts[index] is TxCode.VALID:",
            "and verdicts[index] in (TxCode.VALID, TxCode.ENDORSEMENT_POLICY_FAILURE):",
        ),
    ),
    mutant(
        "Endorsement policies are not asked",
        (f"{ENDORSEMENTS}.check", "if not self._is_endorsed(", "if False and not self._is_endorsed("),
    ),
    mutant(
        "One endorsement is enough",
        (f"{ENDORSEMENTS}._is_endorsed", "if not policy.evaluate(endorsers):", "if not endorsers:"),
    ),
    mutant(
        "A repeated endorser counts twice",
        (f"{SIGNERS}:verify_endorsers", "if identity.dedupe_key not in endorsers and (", "if ("),
        (
            f"{SIGNERS}:verify_endorsers",
            "endorsers[identity.dedupe_key] = identity",
            "endorsers[identity.dedupe_key, len(endorsers)] = identity",
        ),
    ),
    mutant(
        "Signatures of endorsers are not verified",
        (f"{SIGNERS}:verify_endorsers", "(payload, endorsement) in vouched", "True"),
    ),
    mutant(
        "Signatures of creators are not verified",
        (f"{SIGNERS}:_creator_signed", "return creator.verify(", "return True or creator.verify("),
    ),
    mutant(
        "A peer believes that it issued whatever bears a signature of its own",
        (
            "services.peer.endorsement.issued:IssuedEndorsements.__contains__",
            "return digest is not None and",
            "return digest is not None or",
        ),
    ),
    mutant(
        "A peer believes that it issued whatever has been endorsed",
        (
            "services.peer.endorsement.issued:_digest",
            "sha256(endorsement_message(response_payload, endorsement.endorser))",
            "b''",
        ),
    ),
    mutant(
        "A transaction id may be anybody's",
        (
            f"{READING}:_read_data",
            "if header.channel.tx_id != compute_tx_id(",
            "if False and header.channel.tx_id != compute_tx_id(",
        ),
    ),
    mutant(
        "An identity outlives the configuration that it was valid under",
        (
            "privysharing.protocol.msp.manager:MspManager.identity",
            "identity = self.deserialize(serialized)",
            "identity = MspManager.identity.__dict__.setdefault(serialized, self.deserialize(serialized))",
        ),
        (
            "privysharing.protocol.msp.manager:MspManager._deserialize",
            "return self.msp(msp_id).deserialize(id_bytes, serialized)",
            (
                "known = MspManager.identity.__dict__\n"
                "        return known.setdefault(serialized, self.msp(msp_id).deserialize(id_bytes, serialized))"
            ),
        ),
    ),
    mutant(
        "Who was revoked is valid",
        (
            "privysharing.protocol.msp.revocation:RevocationList.revokes",
            "return certificate.serial_number",
            "return False and certificate.serial_number",
        ),
    ),
    mutant(
        "Blocks behind a configuration are verified under the one before",
        (f"{FEED}._follow", "if is_config_block(self._last):", "if False:"),
    ),
    mutant(
        "A configuration that is committed is not put in force",
        ("services.peer.committer:Committer._store", "if stored.config is not None:", "if False:"),
    ),
    mutant(
        "A block need not name its predecessor",
        (f"{BLOCKS}:check_link", "if header.previous_hash != previous_hash:", "if False:"),
    ),
    mutant(
        "A block need not have the expected number",
        (f"{BLOCKS}:check_link", "if header.number != number:", "if False:"),
        ("services.peer.ledger.ledger:Ledger._check_next", "if header.number != self.height or", "if False and"),
    ),
    mutant(
        "A block may hold what its header does not say",
        (f"{BLOCKS}:check_data", "if data_hash(block.data) != block.header.data_hash:", "if False:"),
    ),
    mutant(
        "Anybody may sign blocks",
        (
            f"{BLOCKS}:check_signatures",
            "if not config.policy(BLOCK_VALIDATION).evaluate(block_signers(block, config)):",
            "if not block_signers(block, config):",
        ),
    ),
    mutant(
        "Signatures of blocks are not verified",
        (f"{BLOCKS}:check_signatures", "if not config.policy", "if False and not config.policy"),
    ),
    mutant(
        "A block may be sealed over something else",
        (
            f"{BLOCKS}:block_signers",
            "if identity and identity.verify(metadata.value + signed_header + header, signature.signature):",
            "if identity:",
        ),
    ),
    mutant(
        "Envelopes of a block may be in any form",
        (f"{BLOCKS}:check_envelopes", "if canonical != raw:", "if False:"),
    ),
)
