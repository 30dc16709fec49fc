"""Kills builders at chosen file system calls, resumes them, and says what came of it. Run as a process of its own:

    python -m tests.index_builder.kill_points (rows | videos VIDEO_FOLDER) WORK_FOLDER STEP

Each builder is a forked child that kills itself (SIGKILL) at call n, before it or, for writes, half-way through. One
child runs undisturbed first; then every STEP-th call is a kill point. Prints one JSON line per kill point.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from index_builder.build import build_database
from index_builder.database import durable_files
from index_builder.database.manifest import list_generations
from index_builder.database.reader import MotionDatabase
from index_builder.database.verify import verify_database
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_rows import write_database

Build = Callable[[Path], object]


def install_hooks(kill_at: int | None, torn: bool, counted: Path) -> None:
    """Numbers the calls of `durable_files`; the child dies at number `kill_at`. `counted` receives their names."""
    done = 0

    def wrap(name: str, original: Callable) -> Callable:
        def call(*arguments):
            nonlocal done
            done += 1
            with counted.open("a") as stream:
                stream.write(f"{name} {' '.join(str(a) for a in arguments if isinstance(a, Path))}\n")
            if done == kill_at:
                if torn and name == "write_new":
                    path, data = arguments
                    path.write_bytes(bytes(data)[: len(bytes(data)) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments)

        return call

    for name in durable_files.CALLS:
        setattr(durable_files, name, wrap(name, getattr(durable_files, name)))


def run_child(build: Build, database: Path, *, kill_at: int | None, torn: bool, counted: Path) -> int:
    """The exit code of a child that builds; negative for a signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            install_hooks(kill_at, torn, counted)
            build(database)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def rows_of(database: Path) -> dict[str, list]:
    """All that is stored, by id; a list of more than one entry would be a row stored twice."""
    opened = MotionDatabase.open(database)
    fingerprint = opened.tokens_fingerprints[0]
    found: dict[str, list] = {}
    for row_id, *_ in opened.each_row("id"):
        row = opened.rows([row_id])[0]
        tokens = opened.tokens([row_id], fingerprint=fingerprint)
        vectors = [opened.embeddings([row_id], field).tolist() for field in ("text", "frame")]
        values = [tokens.motion_tokens.tolist(), tokens.appearance_tokens.tolist(), vectors]
        found.setdefault(row_id, []).append([row.source, row.caption, row.start_sec, len(row.thumbnail), values])
    return found


def check(build: Build, work: Path, step: int) -> None:
    whole, trace = work / "whole", work / "trace.txt"
    if run_child(build, whole, kill_at=None, torn=False, counted=trace) != 0:
        raise SystemExit("the undisturbed build failed")
    expected, calls = rows_of(whole), trace.read_text().splitlines()
    writes = {number for number, line in enumerate(calls, start=1) if line.startswith("write_new")}
    points = [(number, False) for number in range(1, len(calls) + 1)]
    points += [(number, True) for number in sorted(writes)]
    for number, torn in points[::step]:
        database = work / "killed"
        shutil.rmtree(database, ignore_errors=True)
        killed = run_child(build, database, kill_at=number, torn=torn, counted=work / "t")
        after_kill = verify_database(database).problems if list_generations(database) else ()
        resumed = run_child(build, database, kill_at=None, torn=False, counted=work / "t")
        found, report = rows_of(database), verify_database(database)
        left = [path.name for path in database.rglob(".tmp-*")] + [p.name for p in (database / ".builders").iterdir()]
        result = {
            "point": f"{number}{' torn' if torn else ''}: {calls[number - 1]}",
            "killed": killed == -signal.SIGKILL,
            "problems_after_kill": list(after_kill),
            "resumed": resumed == 0,
            "same_rows": found == expected,
            "problems": list(report.problems),
            "leftovers": left + list(report.notes),
        }
        print(json.dumps(result), flush=True)  # noqa: T201 (this is the process's output)


def main(arguments: list[str]) -> None:
    if arguments[0] == "rows":
        check(lambda database: write_database(database, segments=[(0, 1), (2,)]), Path(arguments[1]), int(arguments[2]))
        return
    folder, encoder = Path(arguments[1]), ProjectionEncoder()

    def build(database: Path) -> None:
        build_database([folder], output=database, encoder=encoder, workers=1, batch_clips=1, commit_clips=2)

    check(build, Path(arguments[2]), int(arguments[3]))


if __name__ == "__main__":
    main(sys.argv[1:])
