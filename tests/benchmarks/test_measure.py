"""Measuring: contenders in turn, warm-up apart, results as table and JSON."""

import json
import os
from pathlib import Path

import pytest

from benchmarks.measure import (
    Result,
    in_own_process,
    own_and_mapped_bytes,
    peak_bytes,
    publish,
    resident_bytes,
    side_by_side,
)


def test_contenders_run_in_turn_and_warm_runs_do_not_count() -> None:
    order = []
    timings = side_by_side({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=2, warm=1)
    assert order == ["a", "b"] * 3 and timings["a"].repeats == 2
    assert 0 <= timings["b"].least_sec <= timings["b"].median_sec


def test_memory_is_of_the_process_that_asks() -> None:
    assert 1 << 20 < resident_bytes() <= 1.01 * peak_bytes()
    own, mapped = own_and_mapped_bytes()
    assert 1 << 20 < min(own, mapped) and own + mapped <= 1.01 * peak_bytes()
    assert in_own_process(os.getpid) != os.getpid()


def test_results_are_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    lines = [{"rows": 1000, "took_sec": 0.123456, "kind": "flat"}]
    publish(Result(title="A title", conditions={"k": 9}, lines=lines), tmp_path / "new" / "result.json")
    shown = capsys.readouterr().out
    assert "A title" in shown and "took sec" in shown and "1,000" in shown and "0.1235" in shown and "k: 9" in shown
    told = json.loads((tmp_path / "new" / "result.json").read_text(encoding="utf-8"))
    assert told["lines"] == lines and told["conditions"]["k"] == 9 and told["conditions"]["cpus"] == os.cpu_count()
