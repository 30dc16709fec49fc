"""Reads a saved workflow, in the editor's form or in API form, and gives the API form that the server executes.

The editor's form is converted by comfyui-autograph. Five things are put right around it, each checked by a test:
nodes that the server lacks are an error (it skips them), links from muted nodes are dropped as the editor does
(it leaves them dangling), a saved choice that the server does not offer stays as it is, so that the server refuses it
(it silently takes the default), titles are kept, and values saved by name are read by name.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import WorkflowFileError

ApiGraph = dict[str, dict[str, Any]]  # node id -> {"class_type", "inputs", "_meta": {"title"}}
ObjectInfo = dict[str, dict[str, Any]]  # the server's /object_info

_EDITOR_ONLY_NODES = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})
_MODE_MUTED, _MODE_BYPASSED = 2, 4
# Values of the widget that the editor adds after a seed; they belong to no input.
_SEED_CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize"})


@dataclass(frozen=True)
class WorkflowFile:
    """A workflow as saved. `ui_form` tells the editor's form (with positions) from the API form."""

    path: Path
    data: dict[str, Any]
    ui_form: bool

    @property
    def name(self) -> str:
        return self.path.stem


def read_workflow(path: Path) -> WorkflowFile:
    """Reads a workflow file and tells its form.

    Raises WorkflowFileError: not there, not JSON, or neither form.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WorkflowFileError(f"Cannot read workflow {path}: {error.strerror or error}. Check the path.") from error
    except ValueError as error:
        raise WorkflowFileError(
            f"{path} is not a workflow: it is not JSON ({error}). Save it again from ComfyUI."
        ) from error
    if isinstance(data, dict) and isinstance(data.get("nodes"), list) and isinstance(data.get("links"), list):
        return WorkflowFile(path=path, data=data, ui_form=True)
    if isinstance(data, dict) and data and all(_is_api_node(node) for node in data.values()):
        return WorkflowFile(path=path, data=data, ui_form=False)
    raise WorkflowFileError(
        f"{path} is neither a saved workflow (an object with 'nodes' and 'links') nor its API form "
        f"(nodes with 'class_type' and 'inputs'). Use ComfyUI's Save or Export (API)."
    )


def to_api_graph(workflow: WorkflowFile, object_info: ObjectInfo) -> ApiGraph:
    """The API form of a workflow for the server that `object_info` describes. The workflow is left unchanged.

    Raises WorkflowFileError, listing every node that the server lacks.
    """
    graph = _convert(workflow, object_info) if workflow.ui_form else copy.deepcopy(workflow.data)
    missing = sorted({node["class_type"] for node in graph.values() if node["class_type"] not in object_info})
    if missing:
        raise WorkflowFileError(
            f"{workflow.path} needs nodes that this ComfyUI lacks: {', '.join(missing)}. Install the custom nodes that "
            f"bring them and restart it; if a MotionRAG node is among them, see ComfyUI's log for why it did not load."
        )
    _drop_dangling_links(graph)
    if not graph:
        raise WorkflowFileError(f"{workflow.path} has no active node: all are muted or notes. Unmute what shall run.")
    return graph


def is_link(value: Any) -> bool:
    """Whether an API input is [node id, output slot] rather than a value."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)


def input_specs(class_type: str, object_info: ObjectInfo) -> dict[str, list[Any]]:
    """Required and optional inputs of a node: name -> [type or list of choices, options]."""
    sections = object_info.get(class_type, {}).get("input", {})
    return {**sections.get("required", {}), **sections.get("optional", {})}


def _convert(workflow: WorkflowFile, object_info: ObjectInfo) -> ApiGraph:
    # Imported here: the command line starts without it.
    from autograph.convert import flatten_subgraphs, workflow_to_api_format_with_errors

    data = flatten_subgraphs(copy.deepcopy(workflow.data))
    active = [node for node in data["nodes"] if node.get("mode", 0) not in (_MODE_MUTED, _MODE_BYPASSED)]
    missing = sorted({str(n.get("type")) for n in active} - set(object_info) - _EDITOR_ONLY_NODES)
    if missing:
        raise WorkflowFileError(
            f"{workflow.path} needs nodes that this ComfyUI lacks: {', '.join(missing)}. Install the custom nodes that "
            f"bring them and restart it; if a MotionRAG node is among them, see ComfyUI's log for why it did not load."
        )
    named_values = {}
    for node in active:
        if isinstance(node.get("widgets_values"), dict):
            named_values[str(node["id"])] = node.pop("widgets_values")
    result = workflow_to_api_format_with_errors(
        data, node_info=_accept_saved_choices(active, object_info), use_api=True
    )
    problems = [f"node {e.node_id}: {e.message}" for e in result.errors] + [
        f"node {w.node_id}: {w.message}" for w in result.warnings if "not found in node_info" not in w.message
    ]
    if problems:
        raise WorkflowFileError(
            f"{workflow.path} cannot be converted: {'; '.join(problems)}. Open it in ComfyUI and save."
        )
    titles = {str(node["id"]): node.get("title") for node in data["nodes"]}
    graph: ApiGraph = result.data or {}
    for node_id, node in graph.items():
        specs = input_specs(node["class_type"], object_info)
        node["inputs"].update({k: v for k, v in named_values.get(node_id, {}).items() if k in specs})
        display = object_info[node["class_type"]].get("display_name") or node["class_type"]
        node["_meta"] = {"title": titles.get(node_id) or display}
    return graph


def _accept_saved_choices(nodes: list[dict[str, Any]], object_info: ObjectInfo) -> ObjectInfo:
    """A copy of the used part of object_info whose lists of choices also hold what the workflow saved.

    The converter aligns saved values with inputs by what fits; a saved choice which the server does not offer
    would be replaced by the default, and another model or database used than the workflow says.
    """
    used = {name: copy.deepcopy(object_info[name]) for name in {n["type"] for n in nodes} if name in object_info}
    for node in nodes:
        values = node.get("widgets_values")
        if node["type"] not in used or not isinstance(values, list):
            continue
        saved = [value for value in values if isinstance(value, str) and value not in _SEED_CONTROLS]
        for spec in input_specs(node["type"], used).values():
            choices = choices_of(spec)
            if choices is not None:
                choices.extend(value for value in saved if value not in choices)
    return used


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


def _is_api_node(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
