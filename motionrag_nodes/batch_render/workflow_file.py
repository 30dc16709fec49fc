"""Reads a saved workflow, in the editor's form or in API form, and gives the API form that the server executes."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from index_builder.border import border, read_regular
from motionrag_nodes.batch_render.conversion.convert import convert_workflow
from motionrag_nodes.batch_render.errors import ConversionError, WorkflowFileError

ApiGraph = dict[str, dict[str, Any]]  # node id -> {"class_type", "inputs", "_meta": {"title"}}
ObjectInfo = dict[str, dict[str, Any]]  # the server's /object_info

# What a request to the server holds besides the nodes.
MOST_BYTES = 64 << 20  # of a workflow; the largest that people share have a few MB
_BESIDE_NODES = frozenset({"extra_data", "client_id", "prompt_id", "number", "front"})


@dataclass(frozen=True)
class WorkflowFile:
    """A workflow as saved. `ui_form` tells the editor's form (with positions) from the API form."""

    path: Path
    data: dict[str, Any]
    ui_form: bool

    @property
    def name(self) -> str:
        """The file's, without its ending."""
        return self.path.stem


def read_workflow(path: Path) -> WorkflowFile:
    """Reads a workflow file and tells its form.

    In API form, links may name nodes by numbers, and the nodes may stand under "prompt" or beside "extra_data", as a
    request to the server has them. NaN and Infinity, which are not JSON, are read as null, as ComfyUI reads them.

    Raises WorkflowFileError: not there, not JSON, or neither form.
    """
    try:
        text = read_regular(path, most_bytes=MOST_BYTES).decode("utf-8-sig")
        data = json.loads(text, parse_constant=lambda _name: None)
    except OSError as error:
        raise WorkflowFileError(
            f"Expected a workflow at {path}, but it cannot be read ({error.strerror or error}): check the path."
        ) from error
    except (ValueError, RecursionError) as error:
        raise WorkflowFileError(
            f"Expected a workflow in JSON at {path}, but it cannot be read ({error}): save it again from ComfyUI."
        ) from error
    if isinstance(data, dict) and isinstance(data.get("nodes"), list):
        return WorkflowFile(path=path, data=data, ui_form=True)
    graph = data.get("prompt", data) if isinstance(data, dict) else None
    nodes = {name: node for name, node in graph.items() if name not in _BESIDE_NODES} if isinstance(graph, dict) else {}
    if nodes and all(_is_api_node(node) for node in nodes.values()):
        return WorkflowFile(path=path, data=_with_text_ids(nodes), ui_form=False)
    raise WorkflowFileError(
        "Expected a saved workflow (an object with 'nodes' and 'links') or its API form (nodes with 'class_type' and "
        f"'inputs') in {path}, received neither: use ComfyUI's Save or Export (API)."
    )


def to_api_graph(
    workflow: WorkflowFile,
    object_info: ObjectInfo,
    *,
    now: datetime | None = None,
    chance: random.Random | None = None,
) -> ApiGraph:
    """The API form of a workflow for the server that `object_info` describes. The workflow is left unchanged.

    `now` and `chance`: see convert_workflow().

    Raises WorkflowFileError, listing every node that the server lacks, and its kind ConversionError where the file
    does not decide what the editor would send.
    """
    if workflow.ui_form:
        graph = _converted(workflow, object_info, now, chance)
    else:
        graph = copy.deepcopy(workflow.data)
    missing = sorted({node["class_type"] for node in graph.values() if node["class_type"] not in object_info})
    if missing:
        raise WorkflowFileError(
            f"Expected a workflow of nodes that this ComfyUI has, but for {workflow.path} it lacks "
            f"{', '.join(missing)}. Install the custom nodes that bring them and restart it; if a MotionRAG node is "
            "among them, see ComfyUI's log for why it did not load."
        )
    _drop_dangling_links(graph)
    if not graph:
        raise WorkflowFileError(f"Expected an active node in {workflow.path}, found none: unmute what shall run.")
    return graph


def _converted(
    workflow: WorkflowFile, object_info: ObjectInfo, now: datetime | None, chance: random.Random | None
) -> ApiGraph:
    def refusal(reason: str) -> ConversionError:
        return ConversionError(
            f"Expected {workflow.path} as the editor writes workflows, and nodes as ComfyUI describes them, received "
            f"something else ({reason}). Open it in the editor and save it again."
        )

    try:
        with border(refusal):
            return convert_workflow(workflow.data, object_info, now=now, chance=chance)
    except ConversionError as error:
        raise ConversionError(f"{workflow.path}: {error}") from None


def is_link(value: Any) -> bool:
    """Whether an API input is [node id, output slot] rather than a value."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def input_specs(class_type: str, object_info: ObjectInfo) -> dict[str, list[Any]]:
    """Required and optional inputs of a node: name -> [type or list of choices, options]."""
    sections = object_info.get(class_type, {}).get("input", {})
    return {**sections.get("required", {}), **sections.get("optional", {})}


def choices_of(spec: list[Any]) -> list[Any] | None:
    """The list of choices of an input (old and new notation), or None when it is not a choice."""
    if isinstance(spec[0], list):
        return spec[0]
    if spec[0] == "COMBO" and len(spec) > 1 and isinstance(spec[1].get("options"), list):
        options: list[Any] = spec[1]["options"]
        return options
    return None


def _drop_dangling_links(graph: ApiGraph) -> None:
    for node in graph.values():
        dangling = [name for name, value in node["inputs"].items() if is_link(value) and value[0] not in graph]
        for name in dangling:
            del node["inputs"][name]


def _with_text_ids(nodes: dict[str, Any]) -> dict[str, Any]:
    """Links with the ids of nodes as texts, which the server expects."""
    for node in nodes.values():
        for name, value in node["inputs"].items():
            if isinstance(value, list) and len(value) == 2 and type(value[0]) is int and str(value[0]) in nodes:
                node["inputs"][name] = [str(value[0]), value[1]]
    return nodes


def _is_api_node(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
