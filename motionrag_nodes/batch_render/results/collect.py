"""Brings a finished prompt's results into the output folder: all of them, checked, or none."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import JobFailed
from motionrag_nodes.batch_render.results.content import check_content, local_suffix
from motionrag_nodes.batch_render.results.manifest import OutputFile
from motionrag_nodes.batch_render.results.names import STATE_FOLDER, NameTemplate, NodeNames, node_names
from motionrag_nodes.batch_render.server.answers import PromptRun, node_title
from motionrag_nodes.batch_render.server.client import ComfyUIClient
from motionrag_nodes.batch_render.workflow_file import ApiGraph

_LONGEST_SHOWN_LETTERS = 20_000


async def collect_results(
    client: ComfyUIClient, run: PromptRun, graph: ApiGraph, *, job: str, folder: Path, template: NameTemplate
) -> tuple[tuple[OutputFile, ...], dict[str, dict[str, Any]]]:
    """The files of a job, in their places below `folder`, and what its nodes showed besides.

    Saved files come as "output", what was only shown as "preview", and texts as "text" files.
    Raises JobFailed: nothing was made, or a file is missing, empty, cut off or no file of its kind.
    """
    places = _Places(job, folder, template, node_names(graph))
    try:
        (folder / STATE_FOLDER / "parts").mkdir(parents=True, exist_ok=True)
        return await _collect(client, run, graph, places)
    except OSError as error:
        raise JobFailed(
            f"Expected to write results into {folder}, but it is not possible ({error.strerror or error}): make room "
            "there."
        ) from error
    finally:
        for part in places.parts:
            part.unlink(missing_ok=True)


class _Places:
    """Where files go while they come, and where then."""

    def __init__(self, job: str, folder: Path, template: NameTemplate, names: dict[str, NodeNames]) -> None:
        self.job, self.folder, self.template, self.names = job, folder, template, names
        self.count: Counter[str] = Counter()
        self.parts: list[Path] = []

    def part(self) -> Path:
        """A file of its own for what is on its way. It need not be synced: a run checks what earlier ones left."""
        self.parts.append(self.folder / STATE_FOLDER / "parts" / uuid.uuid4().hex)
        return self.parts[-1]

    def next(self, node_id: str, suffix: str) -> str:
        self.count[node_id] += 1
        node = self.names.get(node_id) or NodeNames("0", "other", "other")
        return self.template.path(self.job, node, self.count[node_id], suffix)


async def _collect(
    client: ComfyUIClient, run: PromptRun, graph: ApiGraph, places: _Places
) -> tuple[tuple[OutputFile, ...], dict[str, dict[str, Any]]]:
    moves: list[tuple[Path, OutputFile]] = []
    for file in dict.fromkeys(run.files):
        if file.kind == "input":
            continue
        part = places.part()
        with part.open("wb") as out:
            sha256, size_bytes = await client.view(file, out)
        content = check_content(part, name=file.filename)
        name = places.next(file.node_id, local_suffix(file.filename, content))
        kind = "output" if file.kind == "output" else "preview"
        title = node_title(file.node_id, graph)
        moves.append((part, OutputFile(name, file.node_id, title, kind, sha256, size_bytes)))
    shown: dict[str, dict[str, Any]] = {}
    for node_id, values in run.shown.items():
        for key, value in values.items():
            text = _text(value)
            if text is not None:
                part = places.part()
                data = text.encode("utf-8", "replace")
                part.write_bytes(data)
                name = places.next(node_id, ".txt" if _is_text(value) else ".json")
                sha256 = hashlib.sha256(data).hexdigest()
                moves.append((part, OutputFile(name, node_id, node_title(node_id, graph), "text", sha256, len(data))))
            shown.setdefault(node_id, {})[key] = _short(value)
    if not moves:
        raise JobFailed(
            "Expected a saved file of the workflow, received none: add a node that saves, such as Save Video."
        )
    for part, output in moves:
        target = places.folder / output.file
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    return tuple(output for _, output in moves), shown


def remove_results(folder: Path, outputs: tuple[OutputFile, ...]) -> None:
    """Removes a job's former results, and folders that are empty then."""
    for output in outputs:
        path = (folder / output.file).resolve()
        if not path.is_relative_to(folder.resolve()):
            continue
        path.unlink(missing_ok=True)
        parent = path.parent
        while parent != folder.resolve() and parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()
            parent = parent.parent


def outputs_as_dicts(outputs: tuple[OutputFile, ...]) -> list[dict[str, Any]]:
    """JSON-ready."""
    return [asdict(output) for output in outputs]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    )


def _text(value: Any) -> str | None:
    """What a node showed as the text of a file; None for what is no text and short enough for the manifest."""
    if _is_text(value):
        return value if isinstance(value, str) else "\n".join(value)
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) > _LONGEST_SHOWN_LETTERS else None


def _short(value: Any) -> Any:
    written = json.dumps(value, ensure_ascii=False)
    return value if len(written) <= _LONGEST_SHOWN_LETTERS else f"{written[:1000]} ... (whole in the job's files)"
