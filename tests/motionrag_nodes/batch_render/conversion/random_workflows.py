"""Random workflows of the trap classes, as the editor would save them: the same for the same number."""

from __future__ import annotations

import random
import uuid
from typing import Any

from motionrag_nodes.batch_render.conversion.node_definitions import NodeDefinition, NodeDefinitions
from motionrag_nodes.batch_render.conversion.widgets import is_widget_type
from tests.motionrag_nodes.batch_render.conversion.trap_classes import CLASSES

_TEXTS = ("a boat", "", "tab\tand\r\nbreak", "äöü 🎈", "%Picture.value%", "/* no */ yes", "fixed", "randomize", "1")
_VALUES: tuple[Any, ...] = (0, 1, -3, 0.25, 7.0, 2**60, True, False, None, *_TEXTS)
_MODES = (0, 0, 0, 0, 0, 2, 4, 4)
_PRIMITIVE_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
_DEFINITIONS = NodeDefinitions(CLASSES)
_NAMES = sorted(CLASSES)


def random_workflow(number: int) -> dict[str, Any]:
    """A workflow with up to three subgraphs; about one in three has values that don't fit their widgets."""
    chance = random.Random(number)
    maker = _Maker(chance, wild=chance.random() < 0.3)
    definitions: list[dict[str, Any]] = []
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        definitions.append(maker.subgraph(definitions))
    graph = maker.graph(definitions, size=chance.randint(2, 9))
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "revision": 0,
        "last_node_id": maker.last_node,
        "last_link_id": maker.last_link,
        "nodes": graph.nodes,
        "links": [[link[key] for key in _LINK_KEYS] for link in graph.links],
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
        **({"definitions": {"subgraphs": definitions}} if definitions else {}),
    }


_LINK_KEYS = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []


class _Maker:
    def __init__(self, chance: random.Random, *, wild: bool) -> None:
        self.chance, self.wild = chance, wild
        self.last_node = self.last_link = 0

    def graph(self, definitions: list[dict[str, Any]], size: int) -> _Graph:
        graph = _Graph()
        for _ in range(size):
            kind = self.chance.random()
            if definitions and kind < 0.3:
                graph.nodes.append(self.instance(self.chance.choice(definitions)))
            elif kind < 0.4:
                graph.nodes.append(self.node("Reroute", [("", "*")], [("", "*")]))
            elif kind < 0.48:
                primitive = self.chance.choice(_PRIMITIVE_TYPES)
                made = self.node("PrimitiveNode", [], [(primitive, primitive)], mode=0)
                made["widgets_values"] = [self.value(primitive), "fixed"]
                graph.nodes.append(made)
            elif kind < 0.52:
                graph.nodes.append(self.node("Note", [], []) | {"widgets_values": ["a note"]})
            else:
                graph.nodes.append(self.class_node(_DEFINITIONS.get(self.chance.choice(_NAMES))))
        self.connect(graph)
        return graph

    def node(self, kind: str, inputs: list[Any], outputs: list[Any], mode: int | None = None) -> dict[str, Any]:
        self.last_node += 1
        made: dict[str, Any] = {
            "id": self.last_node,
            "type": kind,
            "pos": [self.last_node * 10, 0],
            "size": [200, 100],
            "flags": {},
            "order": 0,
            "mode": self.chance.choice(_MODES) if mode is None else mode,
            "inputs": [{"name": name, "type": type_, "link": None} for name, type_ in inputs],
            "outputs": [{"name": name, "type": type_, "links": []} for name, type_ in outputs],
            "properties": {},
        }
        if self.chance.random() < 0.2:
            made["title"] = f"My {kind} {self.last_node}"
        return made

    def class_node(self, definition: NodeDefinition | None) -> dict[str, Any]:
        assert definition is not None
        sockets = [i for i in definition.build_order if not is_widget_type(i.type) or i.forced_to_socket]
        sockets = [i for i in sockets if not i.type.startswith("COMFY_")]
        made = self.node(
            definition.name, [(i.name, i.type) for i in sockets], [(o.name, o.type) for o in definition.outputs]
        )
        for grown in (i for i in definition.build_order if i.type == "COMFY_AUTOGROW_V3"):
            template = grown.options["template"]
            kind = next(iter(template["input"]["required"].values()))[0]
            names = template.get("names") or [f"{template.get('prefix')}{n}" for n in range(self.chance.randint(1, 5))]
            made["inputs"] += [
                {"name": f"{grown.name}.{name}", "type": kind, "link": None}
                | ({"widget": {"name": f"{grown.name}.{name}"}} if kind == "STRING" else {})
                for name in names
            ]
        for matched in (i for i in definition.build_order if i.type == "COMFY_MATCHTYPE_V3"):
            made["inputs"].append({"name": matched.name, "type": "IMAGE,MASK,LATENT", "link": None})
        if self.chance.random() < 0.15:
            made["inputs"].append({"name": "gone", "type": "IMAGE", "link": None})
        values = []
        for declared in definition.build_order:
            if not is_widget_type(declared.type) or declared.forced_to_socket:
                continue
            values.append(self.value(declared.type, declared.choices))
            if declared.options.get("control_after_generate") or declared.name == "noise_seed":
                values.append(self.chance.choice(("fixed", "randomize", "increment")))
            if self.chance.random() < 0.3:
                made["inputs"].append(
                    {"name": declared.name, "type": declared.type, "link": None, "widget": {"name": declared.name}}
                )
        if self.chance.random() < 0.1:
            values = values[: self.chance.randint(0, len(values))]
        made["widgets_values"] = values
        return made

    def value(self, kind: str, choices: tuple[Any, ...] = ()) -> Any:
        if self.wild and self.chance.random() < 0.2:
            return self.chance.choice(_VALUES)
        if choices:
            return self.chance.choice(choices)
        return {
            "INT": self.chance.choice((0, 1, 5, 17, 640, 123456789012345)),
            "FLOAT": self.chance.choice((0, 0.5, 1.25, 0.123456, 3)),
            "BOOLEAN": self.chance.random() < 0.5,
        }.get(kind, self.chance.choice(_TEXTS))

    def subgraph(self, definitions: list[dict[str, Any]]) -> dict[str, Any]:
        graph = self.graph(definitions, size=self.chance.randint(1, 5))
        inputs, outputs = [], []
        for node in graph.nodes:
            for slot, item in enumerate(node["inputs"]):
                if item["link"] is None and node["type"] != "PrimitiveNode" and self.chance.random() < 0.4:
                    shared = [end for end in inputs if end["type"] == item["type"]]
                    if shared and self.chance.random() < 0.2:
                        end = self.chance.choice(shared)
                    else:
                        end = self.end(_free(item["name"] or "in", inputs), item["type"])
                        inputs.append(end)
                    item["link"] = self.link(graph, -10, inputs.index(end), node["id"], slot, item["type"])
                    end["linkIds"].append(item["link"])
            for slot, item in enumerate(node["outputs"]):
                if node["type"] != "PrimitiveNode" and self.chance.random() < 0.4:
                    end = self.end(_free(str(item["name"] or "out"), outputs), item["type"])
                    outputs.append(end)
                    link = self.link(graph, node["id"], slot, -20, len(outputs) - 1, item["type"])
                    item["links"].append(link)
                    end["linkIds"].append(link)
        number = self.chance.getrandbits(128)
        return {
            "id": str(uuid.UUID(int=number, version=4)),
            "version": 1,
            "state": {"lastGroupId": 0, "lastNodeId": self.last_node, "lastLinkId": self.last_link, "lastRerouteId": 0},
            "revision": 0,
            "config": {},
            "name": f"Sub {number % 100}",
            "inputNode": {"id": -10, "bounding": [0, 0, 1, 1]},
            "outputNode": {"id": -20, "bounding": [0, 0, 1, 1]},
            "inputs": inputs,
            "outputs": outputs,
            "widgets": [],
            "nodes": graph.nodes,
            "groups": [],
            "links": graph.links,
            "extra": {},
        }

    def end(self, name: str, kind: Any) -> dict[str, Any]:
        number = uuid.UUID(int=self.chance.getrandbits(128), version=4)
        return {"id": str(number), "name": name, "type": kind, "linkIds": [], "pos": [0, 0]}

    def instance(self, definition: dict[str, Any]) -> dict[str, Any]:
        ends = [(end["name"], end["type"]) for end in definition["inputs"]]
        made = self.node(definition["id"], ends, [(end["name"], end["type"]) for end in definition["outputs"]])
        shown = _shown(definition)
        for slot in made["inputs"]:
            if slot["name"] in shown:
                slot["widget"] = {"name": slot["name"]}
        if self.chance.random() < 0.4:
            made["widgets_values"] = [self.value("STRING") for _ in shown]
            return made
        listed = [["-1", name] for name in shown if self.chance.random() < 0.6]
        for node in definition["nodes"]:
            declared = _DEFINITIONS.get(node["type"])
            for item in declared.build_order if declared is not None else ():
                if is_widget_type(item.type) and self.chance.random() < 0.15:
                    listed.append([str(node["id"]), item.name])
        self.chance.shuffle(listed)
        if listed:
            made["properties"]["proxyWidgets"] = listed
        values = [self.value("INT") if self.chance.random() < 0.8 else None for _ in listed]
        made["widgets_values"] = values if self.chance.random() < 0.8 else []
        return made

    def connect(self, graph: _Graph) -> None:
        """Links inputs to earlier outputs of their type, so that there are no circles."""
        for index, node in enumerate(graph.nodes):
            for slot, item in enumerate(node["inputs"]):
                if self.chance.random() < 0.25:
                    continue
                origins = [
                    (other, number)
                    for other in graph.nodes[:index]
                    for number, output in enumerate(other["outputs"])
                    if _fits(output["type"], item["type"])
                    and not (other["type"] == "PrimitiveNode" and "widget" not in item)
                ]
                if origins:
                    other, number = self.chance.choice(origins)
                    item["link"] = self.link(graph, other["id"], number, node["id"], slot, item["type"])
                    other["outputs"][number]["links"].append(item["link"])

    def link(self, graph: _Graph, origin: int, origin_slot: int, target: int, target_slot: int, kind: Any) -> int:
        self.last_link += 1
        fields = (self.last_link, origin, origin_slot, target, target_slot, kind)
        graph.links.append(dict(zip(_LINK_KEYS, fields, strict=True)))
        return self.last_link


def _free(name: str, ends: list[dict[str, Any]]) -> str:
    names = {end["name"] for end in ends}
    number, free = 1, name
    while free in names:
        free, number = f"{name}_{number}", number + 1
    return free


def _shown(definition: dict[str, Any]) -> list[str]:
    """Names of the inputs that lead to a widget inside."""
    fed = {item["link"] for node in definition["nodes"] for item in node["inputs"] if "widget" in item}
    return [end["name"] for end in definition["inputs"] if fed & set(end["linkIds"])]


def _fits(given: Any, taken: Any) -> bool:
    return "*" in (given, taken) or bool(set(str(given).split(",")) & set(str(taken).split(",")))
