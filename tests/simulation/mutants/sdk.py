"""A broken client library."""

from typing import Final

from tests.simulation.mutants.mutation import Mutant, mutant

CHANNEL = "privysharing.sdk.channel:Channel"
COMMITS = "privysharing.sdk.commits:CommitListener"
COLLECTION = "privysharing.sdk.endorsing:_Collection"
BROADCAST = "privysharing.rpc.broadcast:BroadcastClient"
BATCH = "privysharing.rpc.batch:BatchStream"

MUTANTS: Final[tuple[Mutant, ...]] = (
    mutant(
        "A client believes in commits of which it has heard nothing",
        (
            f"{CHANNEL}._verdict",
            "raise CommitUnknown(error.tx_id, error.why + besides, pending) from None",
            "return Verdict(TxCode.VALID, 7)",
        ),
    ),
    mutant(
        "A client takes any verdict for VALID",
        (f"{CHANNEL}._receipt", "if verdict.code is TxCode.VALID:", "if True:"),
    ),
    mutant(
        "A client believes that an orderer took what it did not answer",
        (f"{CHANNEL}.order", "perhaps |= error.sent\n                continue", "return node.name"),
    ),
    mutant(
        "A client takes an orderer that is not available for one that agrees",
        (
            f"{CHANNEL}.order",
            "if answer.status is Status.SUCCESS:",
            "if answer.status in (Status.SUCCESS, Status.SERVICE_UNAVAILABLE):",
        ),
    ),
    mutant(
        "A client says of what an orderer may have taken that it did not",
        (f"{CHANNEL}.order", "perhaps |= error.sent", "pass"),
        (f"{CHANNEL}.order", "perhaps = True", "pass"),
    ),
    mutant(
        "Of what was resubmitted, only the newest blocks are read",
        (f"{CHANNEL}._listening_from", "SeekPosition.at(since)", "NEWEST"),
    ),
    mutant(
        "A listener that lost its peer begins with the newest block",
        (f"{COMMITS}._take", "self._from = SeekPosition.at(block.number)", "self._from = NEWEST"),
    ),
    mutant(
        "A second copy tells the fate of the first",
        (f"{COMMITS}._take", "tx_id in self._seen", "False"),
    ),
    mutant(
        "The verdict on one transaction is told to all who wait",
        (
            f"{COMMITS}._take",
            "for waiting in self._waiting.pop(tx_id, ()):",
            "for waiting in [each for one in self._waiting.values() for each in one]:",
        ),
    ),
    mutant(
        "Endorsements that differ are put together",
        (f"{COLLECTION}._count", "setdefault(answer.payload, [])", "setdefault(b'', [])"),
    ),
    mutant(
        "Endorsements are not looked at",
        (f"{CHANNEL}._endorse", "if answer.response.status in SUCCESS:", "if False:"),
    ),
    mutant(
        "Of a spoilt transaction nobody is blamed",
        (f"{CHANNEL}._receipt", "self.blame(endorsed) if", "() if"),
    ),
    mutant(
        "A call that a liar has spoilt is not run again",
        (f"{CHANNEL}.submit", "if not refused.liars:", "if True:"),
    ),
    mutant(
        "One endorsement is sent where two are needed",
        (f"{COLLECTION}.go_on", "if best and len(best) >= self._needed:", "if best:"),
    ),
    mutant(
        "A refusal of one peer is an answer",
        (f"{CHANNEL}.evaluate", "if refusal is None:", "if True:"),
    ),
    mutant(
        "Of what breaks off, nobody is told",
        (f"{BATCH}._converse", "_fail_all(self._unanswered.values(), reason)", "pass"),
    ),
    mutant(
        "A client sees the answers of an old stream on a new one",
        (f"{BATCH}._converse", "self._unanswered.clear()", "pass"),
        (f"{BATCH}._converse", "_fail_all(self._unanswered.values(), reason)", "pass"),
    ),
    mutant(
        "Answers to broadcasts go to the newest, not the oldest",
        (f"{BROADCAST}._read", "self._unanswered.popleft()", "self._unanswered.pop()"),
    ),
    mutant(
        "Any answer to a broadcast is taken for success",
        (
            "privysharing.rpc.broadcast:parse_broadcast_answer",
            "_STATUSES.get(response.status, Status.UNKNOWN)",
            "Status.SUCCESS",
        ),
    ),
)
