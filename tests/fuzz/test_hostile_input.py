"""Hostile input breaks no promise; and whoever would break one is found."""

import logging
import random
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from privysharing.contract import PrivySharing
from privysharing.protocol import block_checks
from privysharing.protocol.transactions import Response
from services.peer.endorsement import checks
from services.peer.validation import endorsement, mvcc
from tests.fuzz import __main__ as command
from tests.fuzz.coverage import Search, corpus
from tests.fuzz.material import PEERS
from tests.fuzz.mutate import Mutator
from tests.fuzz.oracle import check_told
from tests.fuzz.runner import WARM_UP, Runner, Target
from tests.fuzz.targets import ALL, targets
from tests.fuzz.targets.codecs import Reading
from tests.fuzz.wire import encode, parse

# The cryptography library warns of certificates that a changed byte has made odd.
pytestmark = [
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Attribute's length must be"),
]

SEED = 7
REGRESSIONS = sorted(Path(__file__).with_name("regressions").glob("*.input"))
COUNTS = {  # by what an input costs: half a minute for all
    "codecs": 1500,
    "policies": 800,
    "contract": 800,
    "endorser": 1000,
    "judged": 200,
    "blocks": 250,
    "configuration": 150,
    "commands": 200,
}
COUNT = 350


@pytest.mark.parametrize("name", [kind.name for kind in ALL])  # type: ignore[attr-defined]
def test_no_input_breaks_a_promise(name: str) -> None:
    with closing(Runner(targets([name]), SEED)) as runner:
        report = runner.run(COUNTS.get(name, COUNT))
    assert not report.findings, report.findings[0].why
    assert len(report.outcomes[name]) > 1, "all inputs end alike: they do not get anywhere"


@pytest.mark.parametrize("file", REGRESSIONS, ids=[file.stem for file in REGRESSIONS])
def test_what_once_broke_a_promise_does_not_any_more(file: Path) -> None:
    name, _, raw = file.read_bytes().partition(b"\n")
    with closing(Runner(targets([name.decode()]), SEED)) as runner:
        finding = runner.replay(name.decode(), raw)
    assert finding is None, finding.why


def test_every_input_of_the_corpus_is_read_or_refused() -> None:
    target = Reading()
    outcomes = {raw: target.feed(raw) for raw in corpus()}
    gone = {raw.partition(b"\n")[0] for raw, outcome in outcomes.items() if outcome == "no reader"}
    assert not gone, f"{gone} read nothing any more: python -m tests.fuzz.coverage writes the corpus anew"
    assert len(outcomes) > 100
    assert set(outcomes.values()) == {"read", "refused"}


def test_a_search_keeps_what_shows_something_new_and_nothing_else() -> None:
    search = Search()
    search.run(200, SEED)
    seen = len(search.seen)
    assert 0 < len(search.kept) < 200
    assert not any(search.take(raw) for raw in list(search.kept))
    again = Search(search.least())
    assert len(again.seen) == seen


# The tests of the test.


class Faulty:
    """A target that keeps its promises until input number 30."""

    name = "faulty"

    def __init__(self, fault: Callable[[], object]) -> None:
        self._fault = fault

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        return bytes((chance.randrange(256),))

    def feed(self, raw: bytes) -> str:
        self._fault() if raw == b"bad" else None
        return "fed"


def found_in(fault: Callable[[], object], seconds_max: float = 0.3) -> str:
    """What is said of an input that does this; a run of good ones says nothing."""
    runner = Runner([Faulty(fault)], SEED, seconds_max=seconds_max)
    assert not runner.run(WARM_UP + 1).findings
    finding = runner.replay("faulty", b"bad")
    assert finding is not None
    return finding.why


def hang() -> None:
    while True:
        pass


def swallow() -> None:
    try:
        hang()
    except BaseException:
        hang()


def wait() -> None:
    time.sleep(60)


def tell() -> None:
    check_told(f"cannot open {Path(checks.__file__)}")


def tell_key() -> None:
    check_told(str(PEERS[0].private_key.private_numbers().private_value))


def log() -> None:
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("services").exception("that was unexpected")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda: dict[str, int]()["x"], "KeyError"),
        (lambda: bytearray(200 * 1024 * 1024).extend(b"x"), "MiB of memory"),
        (hang, "TooSlow"),
        (swallow, "TooSlow"),
        (lambda: exec("raise SystemExit"), "SystemExit"),
        (tell, "speaks of the program's inside"),
        (tell_key, "holds the secret"),
        (log, "a fault was logged"),
    ],
    ids=["exception", "memory", "loop", "stubborn loop", "exit", "path", "key", "log"],
)
def test_a_planted_fault_is_found(fault: Callable[[], object], said: str) -> None:
    assert said in found_in(fault)


def test_what_waits_for_ever_is_found() -> None:
    assert "TooSlow" in found_in(wait, seconds_max=0.05)


def forgetful_check(*_: object) -> None:
    raise LookupError("nobody thought of this")


def tells_all(_: PrivySharing, stub: object) -> Response:
    return Response(200, payload=b"".join(stub.transient.values()))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("target", "place", "name", "broken"),
    [
        ("endorser", checks, "check_form", forgetful_check),
        ("endorser", PrivySharing, "invoke", tells_all),
        ("judged", mvcc, "_read_holds", lambda *_: True),
        ("judged", endorsement, "metadata_keys", lambda _: iter(())),
        ("judged", mvcc, "_range_holds", lambda *_: True),
    ],
    ids=["an exception of its own", "transient values in an answer", "stale reads", "policies of keys", "phantoms"],
)
def test_broken_code_is_found(
    monkeypatch: pytest.MonkeyPatch, target: str, place: object, name: str, broken: object
) -> None:
    runner = Runner(targets([target]), SEED)
    monkeypatch.setattr(place, name, broken)
    first = 0
    while not runner.run(50, first).findings:
        first += 50
        assert first < 1500, "nothing was found"


def test_a_seed_makes_the_same_inputs_each_time() -> None:
    def made() -> list[bytes]:
        runner = Runner(targets(["endorser", "blocks", "codecs"]), SEED)
        return [runner.make(target, number) for target in runner.targets.values() for number in range(20)]

    assert made() == made()


def test_a_finding_is_kept_and_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Path] = []
    runner = Runner(targets(["feed"]), SEED, found=lambda finding: found.append(finding.save(tmp_path, SEED)))
    monkeypatch.setattr(block_checks, "block_signers", forgetful_check)
    runner.run(30)
    assert command.replay(found[0]) == 1
    monkeypatch.undo()
    assert command.replay(found[0]) == 0


def test_the_wire_format_is_read_and_written_without_a_schema() -> None:
    raw = bytes.fromhex("08960112036162631d01020304210102030405060708")
    fields = parse(raw)
    assert fields is not None
    assert [(field.number, field.kind) for field in fields] == [(1, 0), (2, 2), (3, 5), (4, 1)]
    assert encode(fields) == raw
    assert parse(b"\x12\x05abc") is None


def test_targets_are_chosen_by_name() -> None:
    chosen: list[Target] = targets(["codecs"])
    assert [target.name for target in chosen] == ["codecs"]
    with pytest.raises(SystemExit, match="no target codex"):
        targets(["codex"])
