"""What a job is made of, as one hash: the same things give the same hash on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.content_hash import sha256_of

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.jobs.plan import RenderJob

_DATABASE_INPUT = "database"  # as the nodes that open a motion database call its name


def fingerprint(
    job: RenderJob,
    *,
    comfyui_version: str,
    generations: Mapping[str, int] | None = None,
    server_files: Mapping[tuple[str, str], str | None] | None = None,
) -> str:
    """Hash of all that makes the result: nodes, inputs, files' contents, ComfyUI's version; not the name.

    `server_files`: SHA-256 of the files in the server's input folder that the job names, by node and input.
    `generations` of motion databases: those of the databases that the job names count, since what is found depends on
    what they hold.
    """
    graph = {
        i: {"class_type": n["class_type"], "inputs": dict(n["inputs"])} for i, n in (job.undated or job.graph).items()
    }
    for file in job.files:
        graph[file.node_id]["inputs"][file.input_name] = f"sha256:{file_sha256(file.path)}"
    for (node_id, input_name), sha256 in (server_files or {}).items():
        graph[node_id]["inputs"][input_name] = f"sha256:{sha256}"
    content: dict[str, object] = {"graph": graph, "comfyui": comfyui_version}
    named = {str(node["inputs"].get(_DATABASE_INPUT)) for node in job.graph.values()}
    used = {name: generation for name, generation in (generations or {}).items() if name in named}
    if used:
        content["databases"] = used
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content; one that has not changed since is not read again."""
    status = path.stat()
    return _hashed(str(path), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=65536)
def _hashed(path: str, mtime_ns: int, size_bytes: int) -> str:
    return sha256_of(Path(path))
