"""The record beside the results: what made each file, so that a second run repeats only what is missing or changed."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from index_builder.border import border, read_regular
from index_builder.whole_file import whole_file
from motionrag_nodes.batch_render.errors import RenderManifestError
from motionrag_nodes.batch_render.jobs.fingerprint import file_sha256

FILE_NAME = "manifest.json"
FORMAT = "motionrag-render"
VERSION = 1


@dataclass(frozen=True)
class OutputFile:
    """One result. `file` is relative to the output folder; kind: "output", "preview" (shown, not saved) or "text"."""

    file: str
    node: str
    title: str
    kind: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class JobRecord:
    """What was run and what became of it. status: done, failed, interrupted or not run."""

    name: str
    status: str
    workflow: str
    values: dict[str, str]
    fingerprint: str
    comfyui_version: str
    server: str
    prompt_id: str | None = None
    outputs: tuple[OutputFile, ...] = ()
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    node_seconds: dict[str, float] = field(default_factory=dict)
    cached_nodes: tuple[str, ...] = ()
    error: str | None = None
    node_errors: tuple[dict[str, str], ...] = ()
    finished: str | None = None  # ISO 8601, UTC
    settings: dict[str, str] = field(default_factory=dict)  # prompts, seeds and the like of the whole graph


_MOST_BYTES = 1 << 30
_TEXTS = dict.fromkeys(("name", "status", "workflow", "fingerprint", "comfyui_version", "server"), str)
_TABLES = dict.fromkeys(("values", "shown", "node_seconds", "settings"), dict)
_KINDS: dict[str, Any] = {**_TEXTS, **_TABLES, "seconds": int | float, "error": str | None}
_OUTPUT_KINDS = {"file": str, "node": str, "title": str, "kind": str, "sha256": str, "size_bytes": int}


class RunManifest:
    """The manifest of one output folder.

    A `put` is on disk within seconds and at `flush`: the job store keeps what ended since, and a manifest of thousands
    of jobs written after each of them would cost more than they do.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / FILE_NAME
        self._records = {record.name: record for record in _read(self.path)} if self.path.exists() else {}
        self._written_at = 0.0
        self._cost_sec = 0.0
        self._dirty = False

    def get(self, name: str) -> JobRecord | None:
        """The record of the job of that name, None where there is none."""
        return self._records.get(name)

    def records(self) -> list[JobRecord]:
        """All records, in the order in which their jobs first came."""
        return list(self._records.values())

    def put(self, record: JobRecord) -> None:
        """Takes a record in the place of the one of its name, and writes the file unless it was written just now."""
        self._records[record.name] = record
        self._dirty = True
        # At most a hundredth of the time goes into writing.
        if time.monotonic() - self._written_at > max(0.5, 100 * self._cost_sec):
            self.flush()

    def flush(self) -> None:
        """Writes what is not yet written."""
        if not self._dirty:
            return
        began = time.monotonic()
        write_atomically(
            self.path,
            {"format": FORMAT, "version": VERSION, "jobs": [asdict(r) for r in self._records.values()]},
        )
        self._dirty, self._written_at = False, time.monotonic()
        self._cost_sec = self._written_at - began

    def is_done(self, name: str, fingerprints: Collection[str]) -> bool:
        """Whether the job was rendered from the very same things and all its files still have their content.

        `fingerprints`: as each server that could render it would give.
        """
        record = self.get(name)
        if record is None or record.status != "done" or record.fingerprint not in fingerprints:
            return False
        return self.matches(record.outputs)

    def matches(self, outputs: Iterable[OutputFile]) -> bool:
        """Whether these results lie there as they came."""
        return all(self._matches(output) for output in outputs)

    def _matches(self, output: OutputFile) -> bool:
        path = self.folder / output.file
        return path.is_file() and path.stat().st_size == output.size_bytes and file_sha256(path) == output.sha256


def write_atomically(path: Path, content: Any) -> None:
    """Writes JSON so that a reader sees the old file or the new one, never a part. Halves of pairs of UTF-16, which
    servers may send, become JSON's own escapes."""
    with whole_file(path, synced=True) as part, part.open("w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)


def _read(path: Path) -> list[JobRecord]:
    remedy = "move it away or choose another --output folder."

    def refusal(reason: str) -> RenderManifestError:
        return RenderManifestError(f"Expected a render manifest at {path}, but it cannot be read ({reason}): {remedy}")

    try:
        content = read_regular(path, most_bytes=_MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise refusal(str(error)) from error
    except ValueError as error:
        raise refusal("it is no UTF-8") from error
    with border(refusal):
        data = json.loads(content)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise RenderManifestError(
            f"Expected a render manifest of format {FORMAT!r} at {path}, found another file: {remedy}"
        )
    if data.get("version") != VERSION:
        raise RenderManifestError(
            f"Expected version {VERSION} of a render manifest in {path}, found {data.get('version')}. Update "
            f"motionrag, or {remedy}"
        )
    with border(refusal):
        return [_record(entry) for entry in data["jobs"]]


def _record(entry: dict[str, Any]) -> JobRecord:
    lists = {key: tuple(entry[key]) for key in ("cached_nodes", "node_errors")}
    record = JobRecord(**{**entry, **lists, "outputs": tuple(OutputFile(**output) for output in entry["outputs"])})
    odd = [name for name, kind in _KINDS.items() if not isinstance(getattr(record, name), kind)]
    odd += [f"an output's {name}" for o in record.outputs for name, kind in _OUTPUT_KINDS.items()
            if not isinstance(getattr(o, name), kind)]  # fmt: skip
    if odd:
        raise ValueError(f"{odd[0]} of another type than it has")
    for output in record.outputs:
        place = PurePath(output.file)
        if place.is_absolute() or ".." in place.parts or "\0" in output.file:
            raise ValueError(f"a result at {output.file!r}, which is no place in the folder")
    return record
