"""Disturbs builders at chosen file system calls, resumes them, and says what came of it. Run as a process of its own:

    python -m tests.index_builder.kill_points JOB DISTURBANCE WORK_FOLDER STEP [VIDEO_FOLDER]

Each builder is a forked child. One runs undisturbed; then every STEP-th of its calls is a point of disturbance:
    kill      SIGKILL before the call, and for writes half-way through it too
    full      the disk is full from this call on (half of a write arrives), until the builder is run again
    NAME      another builder does the whole job NAME at this point, then this one goes on
    NAME+kill ... then this one is killed
Prints one JSON line for each.
"""

from __future__ import annotations

import errno
import inspect
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from index_builder.database.commit import durable_files
from index_builder.database.format.manifest import list_generations
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import MotionRAGError
from tests.index_builder.kill_jobs import JOBS, Act, Job, video_job

CALLS = [name for name, each in vars(durable_files).items() if inspect.isfunction(each)]
WRITES = ("write_new", "append")
NEEDS_SPACE = (*WRITES, "make_folder")
REFUSED = 3


class Disturbance:
    """Numbers the calls of `durable_files` in this process; at number `at` it does what `kind` says."""

    def __init__(self, kind: str, at: int | None, torn: bool, folder: Path, trace: Path) -> None:
        self.kind, self.at, self.torn, self.folder, self.trace = kind, at, torn, folder, trace
        self.done, self.full = 0, False
        for name in CALLS:
            setattr(durable_files, name, self._wrapped(name, getattr(durable_files, name)))

    def _wrapped(self, name: str, original: Callable) -> Callable:
        def call(*arguments):
            self.done += 1
            with self.trace.open("a") as stream:
                stream.write(f"{name} {' '.join(str(a) for a in arguments if isinstance(a, Path))}\n")
            if self.done == self.at:
                self._strike(name, arguments)
            if self.full and name in NEEDS_SPACE:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(*arguments)

        return call

    def _strike(self, name: str, arguments: tuple) -> None:
        if self.torn:
            path, data = arguments
            with path.open("ab") as stream:
                stream.write(bytes(data)[: len(bytes(data)) // 2])
        if self.kind == "full":
            self.full = True
            return
        other, _, then_kill = self.kind.partition("+")
        if other in JOBS:
            self.at = None  # the other builder is not disturbed
            if run_child(JOBS[other].act, self.folder, None, self.trace.with_name("other.txt")) != 0:
                raise SystemExit(f"the other builder failed at {self.done}")
        if other == "kill" or then_kill:
            os.kill(os.getpid(), signal.SIGKILL)


def run_child(act: Act, folder: Path, disturb: Callable[[], object] | None, log: Path) -> int:
    """The exit code of a child that acts; negative for a signal, REFUSED for a named error."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if disturb:
                disturb()
            act(folder)
            code = 0
        except MotionRAGError as error:
            log.write_text(str(error))
            code = REFUSED
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def rows_of(database: Path) -> dict[str, list]:
    """All that is stored, by id; a list of more than one entry would be a row stored twice."""
    opened = MotionDatabase.open(database)
    fingerprint = opened.tokens_fingerprints[0]
    ids, found = opened.ids(), {}
    tokens = opened.tokens(ids, fingerprint=fingerprint) if ids else None
    vectors = [opened.embeddings(ids, field) for field in ("text", "frame")]
    for place, row in enumerate(opened.rows(ids)):
        values = [tokens.motion_tokens[place].tolist(), tokens.appearance_tokens[place].tolist()]
        values += [field[place].tolist() for field in vectors]
        found.setdefault(row.id, []).append([row.source, row.caption, row.start_sec, len(row.thumbnail), values])
    return found


def prepared(job: Job, work: Path) -> Path:
    """A folder as the job finds it, made once."""
    folder = work / "prepared"
    if not folder.exists():
        folder.mkdir()
        job.prepare(folder)
    return folder


def outcome(job: Job, acts: list[Act], work: Path) -> dict[str, list]:
    """The rows after `acts`, one after the other, undisturbed."""
    folder = Path(shutil.copytree(prepared(job, work), work / "whole"))
    for act in acts:
        if run_child(act, folder, None, work / "log.txt") != 0:
            raise SystemExit(f"an undisturbed run failed: {(work / 'log.txt').read_text()}")
    rows = rows_of(folder / "db")
    shutil.rmtree(folder)
    return rows


def calls_of(job: Job, work: Path) -> list[str]:
    """The calls of an undisturbed run, in order."""
    folder, trace = Path(shutil.copytree(prepared(job, work), work / "traced")), work / "trace.txt"
    run_child(job.act, folder, lambda: Disturbance("", None, False, folder, trace), work / "log.txt")
    shutil.rmtree(folder)
    return trace.read_text().splitlines()


def points_of(kind: str, calls: list[str]) -> list[tuple[int, bool]]:
    """(number of the call, whether half of its data is written first)."""
    numbered = [(number, line.split()[0]) for number, line in enumerate(calls, start=1)]
    writes = [(number, True) for number, name in numbered if name in WRITES]
    if kind == "full":
        return [(number, False) for number, name in numbered if name in NEEDS_SPACE] + writes
    whole = [(number, False) for number, _ in numbered]
    return whole + (writes if kind == "kill" else [])


def disturb_once(job: Job, kind: str, number: int, torn: bool, work: Path) -> dict[str, object]:
    """One disturbed run and its resumption; the rows come with it."""
    folder, trace = work / "disturbed", work / "disturbed.txt"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared(job, work), folder)
    trace.unlink(missing_ok=True)
    database = folder / "db"
    code = run_child(job.act, folder, lambda: Disturbance(kind, number, torn, folder, trace), work / "log.txt")
    after = list(verify_database(database).problems) if list_generations(database) else []
    after += job.problems(folder)
    resumed = run_child(job.act, folder, None, work / "log.txt")
    report = verify_database(database)
    left = [path.name for path in folder.rglob(".tmp-*")] + [path.name for path in (database / ".builders").iterdir()]
    return {
        "ended": {-signal.SIGKILL: "killed", REFUSED: "refused", 0: "done"}.get(code, f"exit code {code}"),
        "problems_after": after,
        "resumed": resumed == 0,
        "rows": rows_of(database),
        "problems": [*report.problems, *job.problems(folder)],
        "leftovers": left + list(report.notes),
    }


def main(arguments: list[str]) -> None:
    name, kind, work, step = arguments[0], arguments[1], Path(arguments[2]), int(arguments[3])
    job = video_job(Path(arguments[4])) if name == "videos" else JOBS[name]
    calls, other = calls_of(job, work), JOBS.get(kind.partition("+")[0])
    orders = [[job.act, other.act], [other.act, job.act]] if other else [[job.act]]
    expected = [outcome(job, acts, work) for acts in orders]
    for number, torn in points_of(kind, calls)[::step]:
        result = disturb_once(job, kind, number, torn, work)
        point = f"{number}{' torn' if torn else ''}: {calls[number - 1]}"
        same_rows = result.pop("rows") in expected
        print(json.dumps({"point": point, **result, "same_rows": same_rows}), flush=True)  # noqa: T201 (its output)


if __name__ == "__main__":
    main(sys.argv[1:])
