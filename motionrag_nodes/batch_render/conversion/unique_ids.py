"""Gives nodes in subgraphs ids that occur once in the whole workflow, as the editor does when it loads one."""

from __future__ import annotations

from motionrag_nodes.batch_render.conversion.saved_graph import SavedGraph, SavedNode

_PROPERTY = "proxyWidgets"


def make_ids_unique(saved: SavedGraph) -> dict[str, dict[str, str]]:
    """Renumbers, in place, the nodes in subgraphs whose id another node has; links and lists follow.

    Returns the new ids: subgraph -> id as saved -> id in the prompt.
    """
    used = {node.id for node in saved.nodes if node.numeric_id}
    last = saved.last_node_id
    renumbered: dict[str, dict[str, str]] = {}
    for subgraph in saved.subgraphs:
        new_ids: dict[str, str] = {}
        for node in subgraph.graph.nodes:
            if node.id not in used:
                used.add(node.id)
                last = max(last, int(node.id)) if node.id.isdigit() else last
                continue
            last += 1
            while str(last) in used:
                last += 1
            new_ids[node.id] = str(last)
            node.id = str(last)
            used.add(node.id)
        if new_ids:
            renumbered[subgraph.id] = new_ids
            for link in subgraph.graph.links:
                link.origin_id = new_ids.get(link.origin_id, link.origin_id)
                link.target_id = new_ids.get(link.target_id, link.target_id)
    saved.last_node_id = last
    for nodes in [saved.nodes, *(subgraph.graph.nodes for subgraph in saved.subgraphs)]:
        for node in nodes:
            if node.type in renumbered:
                _follow(node, renumbered[node.type])
    return renumbered


def _follow(node: SavedNode, new_ids: dict[str, str]) -> None:
    listed = node.properties.get(_PROPERTY)
    if isinstance(listed, list):
        node.properties[_PROPERTY] = [
            [new_ids.get(str(item[0]), item[0]), *item[1:]] if isinstance(item, list) and item else item
            for item in listed
        ]
