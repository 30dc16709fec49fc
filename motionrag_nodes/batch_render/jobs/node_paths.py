"""Names of nodes inside subgraphs: "Title/Inner title" beside the editor's own id "3:1"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from typing import Any

from motionrag_nodes.batch_render.conversion.js_values import as_js
from motionrag_nodes.batch_render.conversion.saved_graph import read_graph
from motionrag_nodes.batch_render.conversion.unique_ids import make_ids_unique
from motionrag_nodes.batch_render.workflow_file import WorkflowFile

SEPARATOR = "/"
Names = Mapping[str, frozenset[str]]  # id in the API form -> paths that name the node


def inner_names(workflow: WorkflowFile) -> Names:
    """Every path by which a node inside a subgraph may be called: at each level the title, the class or the id."""
    if not workflow.ui_form:
        return {}
    definitions = workflow.data.get("definitions") or {}
    subgraphs = {str(s.get("id")): s for s in definitions.get("subgraphs") or [] if isinstance(s, dict)}
    found: dict[str, frozenset[str]] = {}
    new_ids = make_ids_unique(read_graph(as_js(workflow.data)))
    for path in _paths(workflow.data.get("nodes") or [], subgraphs, ()):
        if len(path) > 1:
            levels = [_names_of(node, subgraphs) for node in path]
            ids = _ids_in_prompt(path, new_ids)
            found[ids] = frozenset(SEPARATOR.join(parts) for parts in product(*levels))
    return found


def _paths(
    nodes: list[Any], subgraphs: Mapping[str, Any], above: tuple[dict[str, Any], ...]
) -> Iterator[tuple[dict[str, Any], ...]]:
    for node in nodes:
        if not isinstance(node, dict):
            continue
        path = (*above, node)
        yield path
        inner = subgraphs.get(str(node.get("type")))
        # A subgraph that holds itself cannot be run; it must not be walked for ever either.
        if inner is not None and str(node.get("type")) not in {str(n.get("type")) for n in above}:
            yield from _paths(inner.get("nodes") or [], subgraphs, path)


def _ids_in_prompt(path: tuple[dict[str, Any], ...], new_ids: Mapping[str, Mapping[str, str]]) -> str:
    """The editor gives nodes in subgraphs other ids where two nodes of the workflow have the same."""
    ids = [str(path[0].get("id"))]
    for holder, node in pairwise(path):
        saved = str(node.get("id"))
        ids.append(new_ids.get(str(holder.get("type")), {}).get(saved, saved))
    return ":".join(ids)


def _names_of(node: dict[str, Any], subgraphs: Mapping[str, Any]) -> set[str]:
    kind = str(node.get("type"))
    own = str(subgraphs[kind].get("name") or kind) if kind in subgraphs else kind
    names = {str(node.get("id")), own, str(node.get("title") or own)}
    return {name for name in names if name}
