"""Reads what ComfyUI answers: a refusal, the end of a prompt, the files and texts that its nodes report."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from index_builder.border import border
from motionrag_nodes.batch_render.errors import JobFailed
from motionrag_nodes.batch_render.workflow_file import ApiGraph

_SHOWN_ERROR_LETTERS = 2000
# The input that a line of ours is about.
_AT_FAULT = re.compile(r"[a-z_]+: ")
MOST_FILES = 20_000  # of one job; a film in pictures has some thousands


@dataclass(frozen=True)
class ServerFile:
    """A file that a node wrote on the server. `kind` is ComfyUI's folder type: output, temp or input."""

    node_id: str
    filename: str
    subfolder: str
    kind: str


@dataclass
class PromptRun:
    """What became of one queued graph; filled while it runs."""

    prompt_id: str
    files: list[ServerFile] = field(default_factory=list)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)  # node id -> what it showed besides files
    node_seconds: dict[str, float] = field(default_factory=dict)
    cached_nodes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> PromptRun:
        """The inverse of `as_dict`."""
        return PromptRun(**{**data, "files": [ServerFile(**file) for file in data["files"]]})


def shown_node(event: Mapping[str, Any]) -> str:
    """The node of the workflow that an event is about: a node that unfolds into others stands for all of them."""
    return str(event.get("display_node") or event["node"])


def node_name(node_id: str, graph: ApiGraph) -> str:
    """A node by id and title, for messages."""
    return f"node {node_id} ({node_title(node_id, graph)})"


def node_title(node_id: str, graph: ApiGraph) -> str:
    """A node's title, else its class, else its id."""
    node = graph.get(node_id, {})
    return str(node.get("_meta", {}).get("title") or node.get("class_type") or node_id)


def refusal(answer: Any, graph: ApiGraph) -> JobFailed:
    """The server's validation answer as one readable message; also where it took only a part of the graph."""
    with border(
        lambda reason: JobFailed(
            f"Expected ComfyUI to take the job, but it refused without the usual reasons ({reason}): check --server."
        )
    ):
        return _refusal(answer, graph)


def _refusal(answer: Any, graph: ApiGraph) -> JobFailed:
    answer = answer if isinstance(answer, dict) else {}
    errors = []
    node_errors = answer.get("node_errors")
    for node_id, node in node_errors.items() if isinstance(node_errors, dict) else ():
        for error in node.get("errors", []) if isinstance(node, dict) else ():
            told = _of_this_input(error)
            if told is None:
                continue
            text = ": ".join(str(part) for part in (error.get("message"), told) if part)
            errors.append({"node": str(node_id), "class": str(node.get("class_type", "")), "message": text})
    if not errors:
        error = answer.get("error")
        text = error.get("message", "unknown reason") if isinstance(error, dict) else str(error or "unknown reason")
        return JobFailed(f"Expected ComfyUI to take the job, but it refused ({text}): see its log.")
    listed = "; ".join(f"{node_name(error['node'], graph)}: {error['message']}" for error in errors)
    return JobFailed(
        f"Expected ComfyUI to take the job, but it refused. Correct the workflow or its values: {listed}",
        node_errors=errors,
    )


def _of_this_input(error: Mapping[str, Any]) -> Any:
    """What is wrong with the input that an error names; None where it repeats what a node of ours says of others, each
    line of which begins with the input at fault."""
    details = error.get("details")
    extra = error.get("extra_info")
    name = extra.get("input_name") if isinstance(extra, dict) else None
    if error.get("type") != "custom_validation_failed" or not isinstance(details, str) or not isinstance(name, str):
        return details
    lines = details.removeprefix(f"{name} - ").splitlines()
    if not all(_AT_FAULT.match(line) for line in lines):
        return details
    own = [line for line in lines if line.startswith(f"{name}: ")]
    return " ".join(own) or None


def read_end(
    run: PromptRun,
    entry: Any,
    graph: ApiGraph,
    *,
    accepted: frozenset[str] = frozenset(),
    saving: frozenset[str] = frozenset(),
) -> None:
    """Fills files and shown values from a history entry.

    Raises JobFailed as the history tells it; where the server did not run all `accepted` nodes, or where one of the
    `saving` nodes gave no file.
    """
    with border(
        lambda reason: JobFailed(
            f"Expected the history of prompt {run.prompt_id} as ComfyUI keeps it, received another ({reason}): check "
            "--server."
        )
    ):
        _read_end(run, entry, graph, accepted, saving)


def _read_end(run: PromptRun, entry: Any, graph: ApiGraph, accepted: frozenset[str], saving: frozenset[str]) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("status"), dict):
        raise JobFailed(
            f"Expected the end of prompt {run.prompt_id} in the history, found none that can be read: check that the "
            "server is ComfyUI."
        )
    status = entry["status"]
    if status.get("status_str") != "success":
        raise failure(status.get("messages"), graph)
    _check_accepted(entry, graph, accepted)
    run.cached_nodes = run.cached_nodes or _cached(status.get("messages"))
    places = entry.get("meta")
    places = places if isinstance(places, dict) else {}
    outputs = entry.get("outputs")
    outputs = outputs if isinstance(outputs, dict) else {}
    for inner_id, output in outputs.items():
        node_id = shown_node({"node": inner_id, **(places.get(inner_id) or {})})
        for key, items in output.items() if isinstance(output, dict) else ():
            files = [i for i in items if _is_file(i)] if isinstance(items, list) else []
            for item in files:
                kind = str(item.get("type") or "output")
                run.files.append(ServerFile(node_id, item["filename"], str(item.get("subfolder") or ""), kind))
            if not files and key != "animated":
                run.shown.setdefault(node_id, {})[key] = _plain(items)
    if len(run.files) > MOST_FILES:
        raise JobFailed(
            f"Expected at most {MOST_FILES} files of one job, received {len(run.files)} from the server: save fewer."
        )
    silent = saving - {file.node_id for file in run.files}
    if silent:
        names = ", ".join(node_name(node, graph) for node in sorted(silent))
        raise JobFailed(
            f"Expected saved files of {names}, but the workflow ended without: see the server's log for why."
        )


def failure(messages: Any, graph: ApiGraph) -> JobFailed:
    """What the history's messages say about the end of a prompt that did not succeed."""
    for message in reversed(messages if isinstance(messages, list) else []):
        kind, data = message if isinstance(message, (list, tuple)) and len(message) == 2 else ("", {})
        data = data if isinstance(data, dict) else {}
        if kind == "execution_error":
            node_id, text = str(data.get("node_id")), str(data.get("exception_message") or "").strip()
            kind_of_error = str(data.get("exception_type") or "").rpartition(".")[2]
            text = text[:_SHOWN_ERROR_LETTERS] + (" ..." if len(text) > _SHOWN_ERROR_LETTERS else "")
            error = {"node": node_id, "class": str(data.get("node_type")), "type": kind_of_error, "message": text}
            return JobFailed(
                f"Expected {node_name(node_id, graph)} to run, but it failed; the server's log says more: "
                f"{text or kind_of_error}",
                node_errors=[error],
            )
        if kind == "execution_interrupted":
            return JobFailed(
                ""
                "Expected the job to run to its end, but someone at the server interrupted it at "
                f"{node_name(str(data.get('node_id')), graph)}: run it again."
            )
    return JobFailed(
        "Expected the job to run to its end, but ComfyUI reported an error without saying which: see its log."
    )


def _cached(messages: Any) -> list[str]:
    """The nodes that were not run again, as the history tells where no event came."""
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, (list, tuple)) and len(message) == 2 and message[0] == "execution_cached":
            nodes = message[1].get("nodes") if isinstance(message[1], dict) else None
            return [str(node) for node in nodes] if isinstance(nodes, list) else []
    return []


def _check_accepted(entry: dict[str, Any], graph: ApiGraph, expected_nodes: frozenset[str]) -> None:
    """The server drops output nodes that it finds invalid, and renders the others as if that were all."""
    queued = entry.get("prompt")
    accepted = queued[4] if isinstance(queued, list) and len(queued) > 4 and isinstance(queued[4], list) else None
    dropped = expected_nodes - {str(node) for node in accepted} if accepted is not None else frozenset()
    if dropped:
        names = ", ".join(node_name(node, graph) for node in sorted(dropped))
        raise JobFailed(
            f"Expected the whole workflow to run, but ComfyUI left out {names}: see the server's log for why."
        )


def _is_file(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("filename"), str) and bool(item["filename"])


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: no NaN or infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
