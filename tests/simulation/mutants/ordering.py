"""Broken orderers, and broken record logs."""

from typing import Final

from tests.simulation.mutants.mutation import Mutant, mutant

FILELOG = "services.orderer.log.filelog:FileLog"
CHAIN = "services.orderer.chain:Chain"
SEQUENCER = "services.orderer.sequencer:Sequencer"
INTAKE = "services.orderer.intake:Intake"
CUTTER = "services.orderer.cutter:BlockCutter"
SEGMENT = "services.runtime.segment:Segment"
RECORDLOG = "services.runtime.recordlog:RecordLog"

MUTANTS: Final[tuple[Mutant, ...]] = (
    mutant(
        "The log acknowledges what it has not synced",
        (f"{FILELOG}._store", "self._records.sync()", "pass"),
    ),
    mutant(
        "The log acknowledges what it has not written",
        (
            f"{FILELOG}.append",
            "return self._appends.put(record)",
            "durable = self._appends.put(record); durable.set_result(self._end); return durable",
        ),
        (f"{FILELOG}._write", "if not durable.cancelled():", "if not durable.done():"),
    ),
    mutant(
        "The log acknowledges what it could not write",
        ("services.orderer.log.appends:refuse", "durable.set_exception(why)", "durable.set_result(0)"),
    ),
    mutant(
        "The log gives out its newest records in another order than they have",
        (f"{FILELOG}._publish", "enumerate(records, first)", "enumerate(records[::-1], first)"),
    ),
    mutant(
        "The log skips what was appended while its reader was away",
        (
            f"{FILELOG}._take_fresh",
            "return entries[start - entries[0].offset :]",
            "return entries[start - entries[0].offset + (len(entries) > 2) :]",
        ),
    ),
    mutant(
        "A failed broadcast succeeds",
        (f"{INTAKE}._answer", "if progress.durable is not None and (fault", "if False and (fault"),
    ),
    mutant(
        "An orderer signs in whoever is no writer",
        ("services.orderer.admission:_judge_claim", "if config.policy(path).evaluate(signers):", "if True:"),
    ),
    mutant(
        "A restarted orderer takes the last record again",
        (f"{CHAIN}._take_up", "= position.last_offset + 1", "= max(position.last_offset, 0)"),
    ),
    mutant(
        "A restarted orderer skips a record",
        (f"{CHAIN}._take_up", "= position.last_offset + 1", "= position.last_offset + 2"),
    ),
    mutant(
        "A restarted orderer follows from the log's newest record",
        (
            f"{CHAIN}._take_up",
            "= position.last_offset + 1",
            "= max(self._ordering.end() - 1, position.last_offset + 1)",
        ),
    ),
    mutant(
        "An orderer cuts by its own clock",
        (
            f"{CHAIN}._ask_to_cut",
            "self._post(TimeToCut(number)).add_done_callback(lambda posted: self._asked(number, posted))",
            "asyncio.ensure_future(self._take([Entry(self._next_offset - 1, encode_record(TimeToCut(number)))]))",
        ),
    ),
    mutant(
        "An orderer that has just started never asks for a cut",
        (f"{CHAIN}._schedule_cut", "if due <= now:", "if due <= now and self._pace.due(now, 9e9):"),
    ),
    mutant(
        "An orderer that began to wait for more records never asks for a cut",
        (f"{CHAIN}._schedule_cut", "call_later(due - now, self._schedule_cut)", "call_later(9e9, self._schedule_cut)"),
        (f"{CHAIN}._schedule_cut", "self._pace.due(waiting_since, timeout_s)", "waiting_since + timeout_s"),
    ),
    mutant(
        "A block names the wrong last configuration",
        (f"{CHAIN}._make", "self._last_config = number", "self._last_config = max(number - 1, 0)"),
    ),
    mutant(
        "A block that was cut early claims the record behind it",
        (f"{SEQUENCER}._normal", "offset if holds_this else offset - 1", "offset"),
    ),
    mutant(
        "A configuration travels in company",
        (f"{SEQUENCER}._config", "waiting = self._cutter.cut()", "waiting: tuple[bytes, ...] = ()"),
    ),
    mutant(
        "What waits is lost when a configuration comes",
        (f"{SEQUENCER}._config", "if waiting else []", "if waiting and False else []"),
    ),
    mutant(
        "What was admitted under an older configuration is ordered unseen",
        (f"{SEQUENCER}._regular", "if record.config_sequence < self.config.sequence:", "if False:"),
    ),
    mutant(
        "A record that was examined again counts as dealt with at once",
        (f"{SEQUENCER}._examine_again", "return [Resubmit(", "self._original = offset; return [Resubmit("),
    ),
    mutant(
        "A resubmitted record is ordered once for each orderer",
        (f"{SEQUENCER}._regular", "record.original_offset <= self._original", "record.original_offset < 0"),
    ),
    mutant(
        "A full batch loses its last envelope",
        (f"{CUTTER}.cut", "batch = tuple(self._pending)", "batch = tuple(self._pending[:2])"),
    ),
    mutant(
        "An envelope that overfills a batch is forgotten",
        (f"{CUTTER}.ordered", "self._pending.append(envelope)", "self._pending += [] if batches else [envelope]"),
    ),
    mutant(
        "Nobody signs blocks",
        ("services.orderer.sealing:seal", "signature = signer.sign(", "signature = bytes(64) or signer.sign("),
    ),
    mutant(
        "An orderer does not look whether its log is shorter than its chain",
        (f"{CHAIN}.start", "if log.end() <= self._stored_to:", "if False:"),
        (f"{FILELOG}._store", "self._records.sync()", "pass"),
    ),
    mutant(
        "An orderer hands out a block before the one that was asked for",
        (
            "services.orderer.delivery:Delivery._blocks",
            "block = await chain.block(number)",
            "block = await chain.block(max(0, number - (number % 7 == 6)))",
        ),
    ),
    mutant(
        "A torn tail is not cut off",
        (f"{SEGMENT}.open_last", "file.truncate(segment.end)", "pass"),
    ),
    mutant(
        "With a torn tail goes a good record",
        (
            f"{SEGMENT}._scan",
            "except DamagedRecord:",
            (
                "except DamagedRecord:\n                self.end -= self.count and _RECORD_HEADER.size + len(record)\n"
                "                self.count -= bool(self.count)\n"
            ),
        ),
    ),
    mutant(
        "Nobody looks at the checksums of records",
        (f"{SEGMENT}._record_at", "if self._checksum(fields, record) != header.checksum:", "if False:"),
    ),
    mutant(
        "The name of a new segment is not synced",
        (f"{SEGMENT}.create", "disk.sync_folder(path.parent)", "pass"),
    ),
    mutant(
        "A segment is closed without a sync",
        (f"{SEGMENT}.seal", "self.sync()", "pass"),
    ),
    mutant(
        "What a crash left unsynced is not synced by the next process",
        (f"{RECORDLOG}.open", "last.settle()", "pass"),
    ),
    mutant(
        "A new segment begins with the wrong record",
        (
            f"{SEGMENT}._position_of",
            "position = self._positions[place // STRIDE]",
            "position = self._positions[min(place // STRIDE, 1)]",
        ),
    ),
)
