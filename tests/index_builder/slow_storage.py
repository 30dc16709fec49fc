"""Three builders at once, round by round, each round in a database of its own. Run as a process of its own, behind the
library of slow_storage.c:

    python -m tests.index_builder.slow_storage FOLDER ROUNDS none|one

With "one", one builder of each round is killed at a random moment. Prints one JSON line for each round.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from index_builder.database.format.manifest import list_generations
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import MotionRAGError
from tests.index_builder.sample_rows import batch, open_writer, row_id

BUILDERS, COMMITS, ROWS = 3, 3, 2
MOST_SECONDS_TO_WAIT, MOST_SECONDS_BEFORE_A_KILL = 30, 0.1


def build(number: int, database: Path, notes: Path) -> None:
    """Commits, and notes each row after its commit was acknowledged."""
    with open_writer(database) as writer:
        for commit in range(COMMITS):
            first = (number * COMMITS + commit) * ROWS
            rows = list(range(first, first + ROWS))
            writer.commit_rows(batch(rows))
            with notes.open("a") as stream:
                stream.writelines(f"{row_id(row)}\n" for row in rows)


def start(number: int, database: Path, notes: Path, errors: Path) -> int:
    child = os.fork()
    if child == 0:
        try:
            build(number, database, notes)
        except (MotionRAGError, OSError) as error:
            with errors.open("a") as stream:
                stream.write(f"{error}\n")
        finally:
            os._exit(0)
    return child


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def kill_at_some_moment(victim: int, children: list[int], notes: list[Path], generator: random.Random) -> None:
    """In the midst of one of its commits."""
    done, end = generator.randrange(COMMITS) * ROWS, time.monotonic() + MOST_SECONDS_TO_WAIT
    while len(lines(notes[victim])) < done and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(generator.uniform(0, MOST_SECONDS_BEFORE_A_KILL))
    os.kill(children[victim], signal.SIGKILL)


def play_round(folder: Path, *, kill_one: bool, generator: random.Random) -> dict[str, object]:
    database = folder / "db"
    notes = [folder / f"acknowledged-{number}" for number in range(BUILDERS)]
    # A file for each: short writes of three processes into one would mix their sentences.
    errors = [folder / f"errors-{number}" for number in range(BUILDERS)]
    children = [start(number, database, notes[number], errors[number]) for number in range(BUILDERS)]
    if kill_one:
        kill_at_some_moment(generator.randrange(BUILDERS), children, notes, generator)
    for child in children:
        os.waitpid(child, 0)
    acknowledged = [row for path in notes for row in lines(path)]
    told = [line for path in errors for line in lines(path)]
    if not list_generations(database):
        return {"acknowledged": 0, "lost": acknowledged, "errors": told, "problems": [], "left_behind": []}
    with open_writer(database):
        pass  # cleans up after the dead
    report = verify_database(database)
    left = [path.name for path in (*database.rglob(".tmp-*"), *(database / ".builders").iterdir())]
    return {
        "acknowledged": len(acknowledged),
        "lost": sorted(set(acknowledged) - set(MotionDatabase.open(database).ids())),
        "errors": told,
        "problems": list(report.problems),
        "left_behind": left + list(report.notes),
    }


def main(arguments: list[str]) -> None:
    folder, rounds, kill_one = Path(arguments[0]), int(arguments[1]), arguments[2] == "one"
    generator = random.Random(rounds)
    for number in range(rounds):
        here = folder / f"round-{number}"
        here.mkdir()
        print(json.dumps(play_round(here, kill_one=kill_one, generator=generator)), flush=True)  # noqa: T201 (its output)
        shutil.rmtree(here)


if __name__ == "__main__":
    main(sys.argv[1:])
