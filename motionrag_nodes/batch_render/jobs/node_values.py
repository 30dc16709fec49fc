"""Sets inputs of a workflow by NODE.INPUT=VALUE: finds the node, checks the input and gives the value its type."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import NodeValueError
from motionrag_nodes.batch_render.workflow_file import ApiGraph, ObjectInfo, choices_of, input_specs, is_link

_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})
_UPLOAD_FLAGS = ("image_upload", "video_upload", "audio_upload", "file_upload")
_SHOWN_CHOICES = 12


@dataclass(frozen=True)
class LocalFile:
    """An input whose value is a file on this machine; it is uploaded before the job is queued."""

    node_id: str
    input_name: str
    path: Path


def parse_assignment(text: str) -> tuple[str, str]:
    """Splits "NODE.INPUT=VALUE" into ("NODE.INPUT", "VALUE"). Raises NodeValueError on any other form."""
    target, equals, value = text.partition("=")
    if not equals or "." not in target:
        raise NodeValueError(f"--set {text!r} is not of the form NODE.INPUT=VALUE, for example --set 3.seed=7.")
    return target.strip(), value


def apply_values(
    graph: ApiGraph, values: Mapping[str, str], *, object_info: ObjectInfo, files_from: Path
) -> tuple[ApiGraph, list[LocalFile]]:
    """A copy of `graph` with `values` ("NODE.INPUT" -> text) set, and the local files among its inputs.

    NODE is a node's id, title or class; relative files are looked for in `files_from`, then in the current folder.
    Raises NodeValueError: unknown or ambiguous node, unknown input, value of the wrong type or outside the choices.
    """
    changed = copy.deepcopy(graph)
    files: list[LocalFile] = []
    for target, text in values.items():
        node_id, input_name = _find_target(target, changed, object_info)
        node = changed[node_id]
        spec = input_specs(node["class_type"], object_info)[input_name]
        local = local_file(text, spec, folders=(files_from, Path.cwd()))
        if local is not None:
            files.append(LocalFile(node_id=node_id, input_name=input_name, path=local))
            node["inputs"][input_name] = str(local)
        else:
            node["inputs"][input_name] = typed_value(text, spec, name=target)
    return changed, files


def saved_local_files(graph: ApiGraph, *, object_info: ObjectInfo, folder: Path) -> list[LocalFile]:
    """Files that the workflow itself names, which the server lacks but which lie beside the workflow."""
    files = []
    for node_id, node in graph.items():
        for input_name, spec in input_specs(node["class_type"], object_info).items():
            value = node["inputs"].get(input_name)
            offered = choices_of(spec) or []
            if isinstance(value, str) and value not in offered and not Path(value).is_absolute():
                local = local_file(value, spec, folders=(folder,))
                if local is not None:
                    files.append(LocalFile(node_id=node_id, input_name=input_name, path=local))
    return files


def local_file(text: str, spec: list[Any], *, folders: tuple[Path, ...]) -> Path | None:
    """The existing local file that `text` names, if the input takes uploads; None otherwise."""
    options = spec[1] if len(spec) > 1 else {}
    if not any(options.get(flag) for flag in _UPLOAD_FLAGS) or not text:
        return None
    for folder in folders:
        candidate = (folder / Path(text).expanduser()).resolve()
        if candidate.is_file():
            return candidate
    return None


def typed_value(text: str, spec: list[Any], *, name: str) -> Any:
    """`text` as the type that object_info names for the input, checked against its range and choices."""
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    choices = choices_of(spec)
    if choices is not None:
        return _choice(text, choices, options, name)
    kind = spec[0]
    if kind == "INT":
        return _in_range(_number(text, int, name, "a whole number"), options, name)
    if kind == "FLOAT":
        return _in_range(_number(text, float, name, "a number"), options, name)
    if kind == "BOOLEAN":
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise NodeValueError(f"{name} is a switch: expected true or false, received {text!r}.")
    if kind in ("STRING", "COMBO"):
        return text
    raise NodeValueError(
        f"{name} takes a connection of type {kind}, not a value. Set an input of the node that is connected to it."
    )


def _number(text: str, kind: type[int] | type[float], name: str, words: str) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise NodeValueError(f"{name}: expected {words}, received {text!r}.") from None


def _in_range(value: int | float, options: dict[str, Any], name: str) -> int | float:
    low, high = options.get("min"), options.get("max")
    if (low is not None and value < low) or (high is not None and value > high) or value != value:
        raise NodeValueError(f"{name}: expected {low} to {high}, received {value}. Choose a value in that range.")
    return value


def _choice(text: str, choices: list[Any], options: dict[str, Any], name: str) -> Any:
    for choice in choices:
        if str(choice) == text:
            return choice
    if any(options.get(flag) for flag in _UPLOAD_FLAGS):
        # A file in a sub-folder of the server's input folder is valid though never listed.
        if "/" in text and not Path(text).is_absolute():
            return text
        raise NodeValueError(
            f"{name}: {text!r} is neither a file on this machine nor one in ComfyUI's input folder. "
            f"Check the path; it is looked for beside the job table and in the current folder."
        )
    raise NodeValueError(f"{name}: {text!r} is not among its choices: {_some(choices)}.")


def _find_target(target: str, graph: ApiGraph, object_info: ObjectInfo) -> tuple[str, str]:
    """Splits at each dot in turn, as titles and dynamic inputs may hold dots themselves."""
    first_problem: NodeValueError | None = None
    for position in [i for i, letter in enumerate(target) if letter == "."]:
        node_name, input_name = target[:position].strip(), target[position + 1 :].strip()
        try:
            node_id = _find_node(node_name, graph)
            specs = input_specs(graph[node_id]["class_type"], object_info)
            if input_name in specs:
                return node_id, input_name
            raise NodeValueError(_unknown_input(node_name, input_name, graph[node_id], specs))
        except NodeValueError as problem:
            # Of several readings the one whose node exists tells the user more.
            if first_problem is None or "has no input" in str(problem):
                first_problem = problem
    raise first_problem or NodeValueError(f"{target!r} is not of the form NODE.INPUT.")


def _find_node(name: str, graph: ApiGraph) -> str:
    if name in graph:
        return name
    for field in ("title", "class"):
        found = [i for i, n in graph.items() if name == (_title(n) if field == "title" else n["class_type"])]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise NodeValueError(f"{name!r} is the {field} of several nodes: {', '.join(found)}. Use one of these ids.")
    known = [f"{i} ({_title(n)}, {n['class_type']})" for i, n in graph.items()]
    raise NodeValueError(f"No node {name!r} in the workflow. There are (id, title, class): {'; '.join(known)}.")


def _unknown_input(node_name: str, input_name: str, node: dict[str, Any], specs: dict[str, list[Any]]) -> str:
    settable = [n for n, spec in specs.items() if _takes_value(spec) or not is_link(node["inputs"].get(n, []))]
    near = difflib.get_close_matches(input_name, specs, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Node {node_name!r} ({node['class_type']}) has no input {input_name!r}; it has {', '.join(settable)}.{hint}"


def _takes_value(spec: list[Any]) -> bool:
    return isinstance(spec[0], list) or spec[0] in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")


def _title(node: dict[str, Any]) -> str:
    return str(node.get("_meta", {}).get("title") or node["class_type"])


def _some(choices: list[Any]) -> str:
    shown = ", ".join(repr(choice) for choice in choices[:_SHOWN_CHOICES])
    return shown + (f" and {len(choices) - _SHOWN_CHOICES} more" if len(choices) > _SHOWN_CHOICES else "") or "none"
