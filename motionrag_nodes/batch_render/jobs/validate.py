"""Checks a job against what a server offers, as the server would, but before the first job and in words that help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from motionrag_nodes.batch_render.jobs.node_values import LocalFile
from motionrag_nodes.batch_render.jobs.typed_value import UPLOAD_FLAGS
from motionrag_nodes.batch_render.server.answers import node_name
from motionrag_nodes.batch_render.workflow_file import (
    ApiGraph,
    ObjectInfo,
    WorkflowFile,
    choices_of,
    input_specs,
    is_link,
)

_SHOWN_CHOICES = 8
_MEDIA = ("IMAGE", "VIDEO", "AUDIO", "LATENT", "MESH", "SVG")
_DATABASE_INPUT = "database"
_EXTENSIONS_OF_MODELS = (".safetensors", ".ckpt", ".pt", ".pth", ".gguf", ".bin", ".onnx", ".sft")


@dataclass(frozen=True)
class Problem:
    """Why a server cannot run a job. kind: node, model, database, value, input, connection or output."""

    kind: str
    node: str  # id and title
    text: str

    def __str__(self) -> str:
        return f"{self.node}: {self.text}" if self.node else self.text


def output_nodes(graph: ApiGraph, object_info: ObjectInfo) -> tuple[str, ...]:
    """Ids of the nodes that a server runs a graph for."""
    return tuple(i for i, node in graph.items() if object_info.get(node["class_type"], {}).get("output_node"))


def saving_nodes(graph: ApiGraph, object_info: ObjectInfo) -> tuple[str, ...]:
    """Ids of the nodes that save pictures, video or sound and always report the files: one without files has failed."""
    found = []
    for node_id, node in graph.items():
        kind = node["class_type"]
        specs = input_specs(kind, object_info)
        media = any(spec and spec[0] in _MEDIA for spec in specs.values())
        runs = object_info.get(kind, {}).get("output_node", True)
        if runs and kind.startswith("Save") and "filename_prefix" in specs and media:
            found.append(node_id)
    return tuple(found)


def problems(graph: ApiGraph, object_info: ObjectInfo, *, files: tuple[LocalFile, ...] = ()) -> list[Problem]:
    """Everything that keeps a server from running the graph as far as its object_info tells.

    `files` are uploaded and need not be there. Files in the server's input folder are checked apart: object_info does
    not list those in sub-folders.
    """
    uploaded = {(file.node_id, file.input_name) for file in files}
    found: list[Problem] = []
    for node_id, node in graph.items():
        name = node_name(node_id, graph)
        if node["class_type"] not in object_info:
            found.append(Problem("node", name, f"the server has no node {node['class_type']}"))
            continue
        required = object_info[node["class_type"]].get("input", {}).get("required", {})
        for input_name, spec in input_specs(node["class_type"], object_info).items():
            if input_name not in node["inputs"]:
                if input_name in required and _is_plain(spec):
                    found.append(Problem("input", name, f"its input {input_name!r} has no value and no connection"))
                continue
            value = node["inputs"][input_name]
            if (node_id, input_name) not in uploaded:
                found += _value_problems(name, input_name, value, spec, graph)
    told = all("output_node" in object_info.get(node["class_type"], {}) for node in graph.values())
    if told and not output_nodes(graph, object_info):
        found.append(Problem("output", "", "no node saves or shows anything: add one that saves, such as Save Video"))
    return found


def dangling_links(workflow: WorkflowFile) -> list[Problem]:
    """Connections of an exported workflow that lead to no node; the editor never writes them."""
    if workflow.ui_form:
        return []
    return [
        Problem(
            "connection", node_name(node_id, workflow.data), f"{name!r} comes from node {value[0]}, which is not there"
        )
        for node_id, node in workflow.data.items()
        for name, value in node["inputs"].items()
        if is_link(value) and value[0] not in workflow.data
    ]


def packs_of(workflow: WorkflowFile) -> dict[str, str]:
    """The pack that brings each class of node, as the editor noted it when the workflow was saved."""
    found: dict[str, str] = {}
    for node in _saved_nodes(workflow):
        properties = node.get("properties")
        pack = properties.get("cnr_id") or properties.get("aux_id") if isinstance(properties, dict) else None
        if pack:
            found[str(node.get("type"))] = str(pack)
    return found


def server_files(graph: ApiGraph, object_info: ObjectInfo, files: tuple[LocalFile, ...]) -> Iterator[tuple[str, str]]:
    """(node id, input name) of the inputs whose values are files in the server's input folder."""
    uploaded = {(file.node_id, file.input_name) for file in files}
    for node_id, node in graph.items():
        for input_name, spec in input_specs(node["class_type"], object_info).items():
            value = node["inputs"].get(input_name)
            if isinstance(value, str) and value and takes_upload(spec) and (node_id, input_name) not in uploaded:
                yield node_id, input_name


def is_offered(graph: ApiGraph, node_id: str, input_name: str, object_info: ObjectInfo) -> bool:
    """Whether the server lists the value among the input's choices."""
    node = graph[node_id]
    choices = choices_of(input_specs(node["class_type"], object_info)[input_name])
    return choices is not None and node["inputs"][input_name] in choices


def takes_upload(spec: list[Any]) -> bool:
    """Whether an input's files may be uploaded to the server."""
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    return any(options.get(flag) for flag in UPLOAD_FLAGS)


def _value_problems(name: str, input_name: str, value: Any, spec: list[Any], graph: ApiGraph) -> list[Problem]:
    if is_link(value):
        return [] if value[0] in graph else [Problem("connection", name, f"{input_name!r} leads to no node")]
    choices = choices_of(spec)
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    if choices is not None:
        wrapped = isinstance(value, Mapping) and isinstance(value.get("__value__"), list)
        missing = [v for v in (value["__value__"] if wrapped else [value]) if v not in choices]
        if missing and not takes_upload(spec):
            return [_missing_choice(name, input_name, missing[0], choices)]
        return []
    if spec[0] in ("INT", "FLOAT") and isinstance(value, (int, float)):
        low, high = options.get("min"), options.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            return [Problem("value", name, f"{input_name} is {value}: expected {low} to {high}")]
    return []


def _missing_choice(name: str, input_name: str, value: Any, choices: list[Any]) -> Problem:
    offered = ", ".join(map(str, choices[:_SHOWN_CHOICES])) or "nothing"
    more = f" and {len(choices) - _SHOWN_CHOICES} more" if len(choices) > _SHOWN_CHOICES else ""
    if input_name == _DATABASE_INPUT:
        remedy = (
            "Name the folder that holds it: MOTIONRAG_DATABASES=FOLDER, or --base with the folder whose models/ holds "
            "it; or set another one"
        )
        text = f"there is no motion database {value!r}; the server has {offered}{more}. {remedy}"
        return Problem("database", name, text)
    kind = "model" if str(value).lower().endswith(_EXTENSIONS_OF_MODELS) else "value"
    return Problem(kind, name, f"{input_name} is {value!r}, which the server does not have; it offers {offered}{more}")


def _is_plain(spec: list[Any]) -> bool:
    """Inputs of the newer kinds, such as those that grow, are not named one by one in a graph."""
    kind = spec[0] if spec else None
    return isinstance(kind, list) or (isinstance(kind, str) and not kind.startswith("COMFY_"))


def _saved_nodes(workflow: WorkflowFile) -> Iterator[dict[str, Any]]:
    if workflow.ui_form:
        subgraphs = (workflow.data.get("definitions") or {}).get("subgraphs") or []
        for part in (workflow.data, *subgraphs):
            yield from (node for node in part.get("nodes") or [] if isinstance(node, dict))
