"""Several commands of `motionrag` in one process of its own: most of the time that a process takes is its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
END = "end of this command:"
# The commands one after the other, each as `motionrag` runs it; after each its exit code, on both streams.
PROGRAM = f"""
import json, os, sys
from motionrag_nodes.cli import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["motionrag", *arguments]
    try:
        main.main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    print("{END}", code, file=sys.stderr, flush=True)
    try:
        print("{END}", code, flush=True)
    except BrokenPipeError:  # whoever read this has gone away
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
"""


@dataclass(frozen=True)
class Ended:
    """What a command left."""

    code: int
    stdout: bytes
    stderr: bytes


def command_line(commands: Sequence[Sequence[object]]) -> list[str]:
    """What starts the process."""
    return [sys.executable, "-c", PROGRAM, json.dumps([[str(part) for part in command] for command in commands])]


def run_commands(*commands: Sequence[object], **environment: str) -> list[Ended]:
    """What came of each."""
    settings = {**os.environ, "COLUMNS": "100", **environment}
    done = subprocess.run(command_line(commands), cwd=ROOT, env=settings, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-1500:]
    said = [_parts(stream) for stream in (done.stdout, done.stderr)]
    return [Ended(code, out, error) for (code, out), (_, error) in zip(*said, strict=True)]


def _parts(stream: bytes) -> list[tuple[int, bytes]]:
    """(exit code, what came before it) of each command."""
    before, *ends = stream.split(f"{END} ".encode())
    parts = []
    for end in ends:
        code, _, following = end.partition(b"\n")
        parts.append((int(code), before))
        before = following
    return parts
