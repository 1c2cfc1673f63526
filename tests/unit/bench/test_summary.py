"""Several runs become medians and their spread, and no failure is lost among them."""

from typing import Any

from bench import summary


def run(tps: float, **more: Any) -> dict[str, Any]:
    return {
        "tps": tps,
        "p99_ms": None,
        "failures": {},
        "failures_retryable": 0,
        "cpu_us_per_tx": {"client": tps / 2},
        "peers_agree": True,
        "transport": "batch",
    } | more


def test_one_run_stays_as_it_is() -> None:
    assert summary.of([run(7.0)]) == run(7.0)


def test_of_several_runs_the_median_is_given_with_the_least_the_greatest_and_each() -> None:
    runs = [run(9.0, p99_ms=4.0), run(1.0), run(8.0)]
    both = summary.of(runs)
    assert (both["tps"], both["runs"], both["spread"]["tps"], both["each"]) == (8.0, 3, [1.0, 9.0], runs)
    assert both["cpu_us_per_tx"] == {"client": 4.0}
    assert (both["p99_ms"], both["transport"]) == (4.0, "batch")


def test_what_no_run_has_none_has() -> None:
    assert summary.of([run(1.0), run(2.0)])["p99_ms"] is None


def test_failures_and_disagreement_of_any_run_show() -> None:
    lost = run(2.0, failures={"TIMEOUT": 2}, failures_retryable=1, peers_agree=False)
    both = summary.of([run(1.0, failures={"TIMEOUT": 1, "BUSY": 1}), lost, run(3.0)])
    assert both["failures"] == {"TIMEOUT": 3, "BUSY": 1}
    assert both["failures_retryable"] == 1
    assert both["peers_agree"] is False


def test_phases_are_summed_up_each_for_itself() -> None:
    phases = [{"before": run(tps), "after": run(tps + 1, failures={"BUSY": 1})} for tps in (1.0, 2.0, 3.0)]
    both = summary.of(phases)
    assert (both["before"]["tps"], both["after"]["tps"], both["after"]["failures"]) == (2.0, 3.0, {"BUSY": 3})


def test_what_is_a_summary_already_can_be_summed_up() -> None:
    twice = [summary.of([run(tps), run(tps + 2, failures={"BUSY": 1})]) for tps in (1.0, 5.0)]
    beside = [own | {"other": other} for own, other in zip(twice, reversed(twice), strict=True)]
    both = summary.of(beside)
    assert (both["tps"], both["runs"], both["spread"]["tps"], both["each"]) == (4.0, 2, [2.0, 6.0], beside)
    assert (both["failures"], both["other"]["tps"], both["other"]["failures"]) == ({"BUSY": 2}, 4.0, {"BUSY": 2})
