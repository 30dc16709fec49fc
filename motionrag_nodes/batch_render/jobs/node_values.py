"""Sets inputs of a workflow by NODE.INPUT=VALUE: finds the node and its input, and local files among the values."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import NodeValueError
from motionrag_nodes.batch_render.jobs.node_paths import Names
from motionrag_nodes.batch_render.jobs.typed_value import UPLOAD_FLAGS, typed_value
from motionrag_nodes.batch_render.workflow_file import ApiGraph, ObjectInfo, choices_of, input_specs, is_link


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
        raise NodeValueError(f"Expected --set NODE.INPUT=VALUE, received {text!r}: write for example --set 3.seed=7.")
    return target.strip(), value


Targets = Mapping[str, tuple[str, str]]  # "NODE.INPUT" as written -> (node id, input name)


def find_targets(
    written: Iterable[str], graph: ApiGraph, *, object_info: ObjectInfo, inner_names: Names | None = None
) -> dict[str, tuple[str, str]]:
    """The node id and input that each "NODE.INPUT" means.

    NODE is a node's id, title or class; inside a subgraph its id such as 3:1, or "Title/Inner title".
    Raises NodeValueError: unknown or ambiguous node, unknown input, two names for one input.
    """
    found: dict[str, tuple[str, str]] = {}
    first: dict[tuple[str, str], str] = {}
    for text in written:
        target = _find_target(text, graph, object_info, inner_names or {})
        if target in first:
            raise NodeValueError(
                f"Expected one value for input {target[1]!r} of node {target[0]}, received {first[target]!r} and "
                f"{text!r}: keep one of them."
            )
        found[text] = target
        first[target] = text
    return found


def apply_values(
    graph: ApiGraph,
    values: Mapping[str, str],
    *,
    object_info: ObjectInfo,
    files_from: Path,
    targets: Targets | None = None,
    decimal_comma: bool = False,
) -> tuple[ApiGraph, list[LocalFile]]:
    """A copy of `graph` with `values` ("NODE.INPUT" -> text) set, and the local files among its inputs.

    Relative files are looked for in `files_from`, then in the current folder. `targets` were found before, if given.
    Raises NodeValueError: as find_targets, or a value of the wrong type or outside the choices.
    """
    targets = targets if targets is not None else find_targets(values, graph, object_info=object_info)
    touched = {targets[written][0] for written in values}
    changed = {i: copy.deepcopy(node) if i in touched else node for i, node in graph.items()}
    files: list[LocalFile] = []
    for written, text in values.items():
        node_id, input_name = targets[written]
        node = changed[node_id]
        spec = input_specs(node["class_type"], object_info)[input_name]
        local = local_file(text, spec, folders=(files_from, Path.cwd()))
        if local is not None:
            files.append(LocalFile(node_id=node_id, input_name=input_name, path=local))
            node["inputs"][input_name] = str(local)
        else:
            node["inputs"][input_name] = typed_value(text, spec, name=written, decimal_comma=decimal_comma)
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
    if not any(options.get(flag) for flag in UPLOAD_FLAGS) or not text:
        return None
    for folder in folders:
        candidate = (folder / Path(text).expanduser()).resolve()
        if candidate.is_file():
            return candidate
    return None


def _find_target(target: str, graph: ApiGraph, object_info: ObjectInfo, inner_names: Names) -> tuple[str, str]:
    """Splits at each dot in turn, as titles and dynamic inputs may hold dots themselves."""
    first_problem: NodeValueError | None = None
    for position in [i for i, letter in enumerate(target) if letter == "."]:
        node_name, input_name = target[:position].strip(), target[position + 1 :].strip()
        try:
            node_id = _find_node(node_name, graph, inner_names)
            specs = input_specs(graph[node_id]["class_type"], object_info)
            if input_name in specs:
                return node_id, input_name
            raise NodeValueError(_unknown_input(node_name, input_name, graph[node_id], specs))
        except NodeValueError as problem:
            # Of several readings the one whose node exists tells the user more.
            if first_problem is None or "has no input" in str(problem):
                first_problem = problem
    raise first_problem or NodeValueError(
        f"Expected the form NODE.INPUT, received {target!r}: write for example 3.seed."
    )


def _find_node(name: str, graph: ApiGraph, inner_names: Names) -> str:
    if name in graph:
        return name
    kinds = {
        "title": [i for i, node in graph.items() if name == _title(node)],
        "class": [i for i, node in graph.items() if name == node["class_type"]],
        "path": [i for i, paths in inner_names.items() if name in paths and i in graph],
    }
    for field, found in kinds.items():
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise NodeValueError(
                f"Expected a name of one node, but {name!r} is the {field} of several ({', '.join(found)}): use one of "
                "these ids."
            )
    known = [f"{i} ({_title(n)}, {n['class_type']})" for i, n in graph.items()]
    raise NodeValueError(
        f"Expected a node of the workflow, received {name!r}. There are (id, title, class): {'; '.join(known)}."
    )


def _unknown_input(node_name: str, input_name: str, node: dict[str, Any], specs: dict[str, list[Any]]) -> str:
    settable = [n for n, spec in specs.items() if _takes_value(spec) or not is_link(node["inputs"].get(n, []))]
    near = difflib.get_close_matches(input_name, specs, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Node {node_name!r} ({node['class_type']}) has no input {input_name!r}; it has {', '.join(settable)}.{hint}"


def _takes_value(spec: list[Any]) -> bool:
    return isinstance(spec[0], list) or spec[0] in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")


def _title(node: dict[str, Any]) -> str:
    return str(node.get("_meta", {}).get("title") or node["class_type"])
