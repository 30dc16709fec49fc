"""How all benchmarks measure: contenders in turn within one run, after warming up; least and median of the repeats."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds of one contender over the repeats."""

    least_sec: float
    median_sec: float
    repeats: int


def side_by_side(contenders: Mapping[str, Callable[[], Any]], *, repeats: int, warm: int = 1) -> dict[str, Timing]:
    """Runs the contenders in turn, so that what else the machine does meets all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repeat in range(warm + repeats):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            if repeat >= warm:
                seconds[name].append(time.perf_counter() - started)
    return {name: Timing(least_sec=min(s), median_sec=median(s), repeats=repeats) for name, s in seconds.items()}


def resident_bytes() -> int:
    """Memory of this process that is in RAM now, mapped files included."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    """The most memory of this process that was in RAM at any time (getrusage would count that of its parent too)."""
    return _status("VmHWM")


def own_and_mapped_bytes() -> tuple[int, int]:
    """Memory in RAM that is this process's own, and pages of files that it maps, which the system may take back."""
    return _status("RssAnon"), _status("RssFile")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


def in_own_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's value, from a fresh process, so that memory of one contender does not count for another."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """Another process that multiplies matrices on one thread for a while."""
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    neighbour = context.Process(target=_multiply, args=(started,), daemon=True)
    neighbour.start()
    started.wait()
    try:
        yield
    finally:
        neighbour.kill()
        neighbour.join()


def _multiply(started) -> None:
    import torch

    torch.set_num_threads(1)
    matrix = torch.randn(256, 256)
    started.set()
    while True:
        torch.mm(matrix, matrix)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A benchmark's outcome: the question, under what conditions, and one dictionary for each line of the table."""

    title: str
    conditions: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]


def publish(result: Result, json_path: Path | None) -> None:
    """Prints the table, and writes JSON where asked."""
    console = Console(width=140)
    table = Table(title=result.title)
    for name in result.lines[0]:
        table.add_column(name.replace("_", " "), justify="right", overflow="fold")
    for line in result.lines:
        table.add_row(*(_shown(value) for value in line.values()))
    console.print(table)
    conditions = {**result.conditions, **_machine()}
    console.print(", ".join(f"{name}: {value}" for name, value in conditions.items()), style="dim")
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        content = {**asdict(result), "conditions": conditions}
        json_path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _machine() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {"cpus": os.cpu_count(), "load at the end": round(load, 1), "python": platform.python_version()}
