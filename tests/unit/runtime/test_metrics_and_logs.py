"""Metrics keep the names they are given; logs are one line an entry and obey their specification."""

import json
import logging
from collections.abc import Iterator

import pytest

from services.runtime.logs import Logs, LogSpec
from services.runtime.metrics import Registry


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines_of(registry: Registry) -> list[str]:
    return [
        line for line in registry.render().splitlines() if not line.startswith("process_") and " process_" not in line
    ]


def test_series_appear_with_their_first_use_under_exactly_their_names() -> None:
    registry = Registry()
    count = registry.counter("broadcast_processed_count", "Messages processed.", ["channel", "status"])
    height = registry.gauge("ledger_blockchain_height", "Height of the chain.", ["channel"])
    assert lines_of(registry) == []
    count.of("health", "SUCCESS").inc()
    count.of("health", "SUCCESS").inc(2)
    height.of('od"d\n').set(7)
    assert lines_of(registry) == [
        "# HELP broadcast_processed_count Messages processed.",
        "# TYPE broadcast_processed_count counter",
        'broadcast_processed_count{channel="health",status="SUCCESS"} 3',
        "# HELP ledger_blockchain_height Height of the chain.",
        "# TYPE ledger_blockchain_height gauge",
        'ledger_blockchain_height{channel="od\\"d\\n"} 7',
    ]


def test_a_histogram_counts_below_each_bound() -> None:
    registry = Registry()
    duration = registry.histogram("d", "Duration.", buckets=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        duration.of().observe(value)
    assert lines_of(registry)[2:] == [
        'd_bucket{le="0.1"} 2',
        'd_bucket{le="1"} 3',
        'd_bucket{le="+Inf"} 4',
        "d_count 4",
        "d_sum 7.65",
    ]


def test_what_is_observed_together_counts_as_if_it_were_observed_one_by_one() -> None:
    pages = []
    for together in (True, False):
        registry = Registry()
        duration = registry.histogram("d", "Duration.", buckets=(0.125, 1.0)).of()
        if together:
            duration.observe_all([0.25, 0.0, 0.125, 4.0, 0.5])
            duration.observe_all([])
        else:
            for amount in (0.25, 0.0, 0.125, 4.0, 0.5):
                duration.observe(amount)
        pages.append([line for line in registry.render().splitlines() if line.startswith("d")])
    assert pages[0] == pages[1]


def test_a_metric_cannot_be_made_twice() -> None:
    registry = Registry()
    registry.counter("c", "C.")
    with pytest.raises(ValueError, match="Duplicated"):
        registry.gauge("c", "C.")


def test_the_process_reports_its_own_figures() -> None:
    page = Registry().render()
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
        assert f"\n{name} " in page


@pytest.mark.parametrize(
    ("text", "default", "loggers"),
    [
        ("info", 20, ()),
        ("DEBUG", 10, ()),
        ("warn:services.orderer=debug", 30, (("services.orderer", 10),)),
        ("a,b=error:panic", 50, (("a", 40), ("b", 40))),
    ],
)
def test_a_logging_specification_is_read(text: str, default: int, loggers: tuple[tuple[str, int], ...]) -> None:
    spec = LogSpec.parse(text)
    assert (spec.default, spec.loggers) == (default, loggers)


@pytest.mark.parametrize("text", ["", "loud", "a=loud", "=info", "a,=info", "info:"])
def test_a_bad_logging_specification_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid logging specification"):
        LogSpec.parse(text)


@pytest.mark.usefixtures("_logging_restored")
def test_an_entry_is_one_line_of_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    Logs(LogSpec.parse("info:quiet=error"), as_json=True, registry=Registry())
    logging.getLogger("loud.one").info("sealed", extra={"channel": "health", "block": 7})
    logging.getLogger("loud.one").debug("unseen")
    logging.getLogger("quiet.one").warning("unseen")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["msg"]) == ("info", "loud.one", "sealed")
    assert (entry["channel"], entry["block"]) == ("health", 7)


@pytest.mark.usefixtures("_logging_restored")
def test_a_name_with_a_line_break_does_not_forge_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry()
    Logs(LogSpec.parse("info"), as_json=False, registry=registry)
    logging.getLogger("a").info("refused", extra={"channel": "x\n2026 INFO [a] all is well"})
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert 'logging_entries_written{level="info"} 1' in registry.render()


@pytest.mark.usefixtures("_logging_restored")
def test_another_specification_takes_the_place_of_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    logs = Logs(LogSpec.parse("info:a.b=error"), as_json=True, registry=Registry())
    logs.activate(LogSpec.parse("debug"))
    logging.getLogger("a.b").debug("seen")
    assert logs.spec.text == "debug"
    assert "seen" in capsys.readouterr().err
