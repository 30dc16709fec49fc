"""What each server is and offers, asked once before anything is planned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from motionrag_nodes.batch_render.errors import JobFailed
from motionrag_nodes.batch_render.server.access import Access
from motionrag_nodes.batch_render.server.answers import ServerFile
from motionrag_nodes.batch_render.server.client import ComfyUIClient
from motionrag_nodes.batch_render.workflow_file import ObjectInfo, choices_of, input_specs

_FOLDERS = ("input", "output", "temp")


@dataclass
class ServerFacts:
    """One server. `inputs`: SHA-256 of files in its input folder that were asked for; None where there is none.

    One that is not `reachable` is driven by a worker: files in its input folder are known by its lists only.
    """

    access: Access
    version: str
    object_info: ObjectInfo
    generations: dict[str, int] = field(default_factory=dict)  # of its motion databases
    inputs: dict[str, str | None] = field(default_factory=dict)
    reachable: bool = True


def ask_servers(accesses: Sequence[Access]) -> list[ServerFacts]:
    """Asks all servers at once. Raises ComfyUIConnectionError: one of them does not answer as ComfyUI does."""

    async def ask(access: Access) -> ServerFacts:
        async with ComfyUIClient(access) as client:
            version = await client.version()
            info, generations = await asyncio.gather(client.object_info(), client.database_generations())
            return ServerFacts(access, version, info, generations)

    async def ask_all() -> list[ServerFacts]:
        return list(await asyncio.gather(*(ask(access) for access in accesses)))

    return asyncio.run(ask_all())


def look_at_inputs(facts: ServerFacts, names: Sequence[str]) -> None:
    """Hashes files of the server's input folder into `facts.inputs`: a changed picture makes another job."""
    missing = [name for name in names if name not in facts.inputs]
    if not facts.reachable:
        facts.inputs.update(dict.fromkeys(missing))
        return

    async def look() -> None:
        async with ComfyUIClient(facts.access) as client:
            for name in missing:
                try:
                    facts.inputs[name], _ = await client.view(input_file(name))
                except JobFailed:
                    facts.inputs[name] = None

    if missing:
        asyncio.run(look())


def input_file(name: str) -> ServerFile:
    """A value of a file input as ComfyUI reads it: "folder/name.png", or "name.png [output]" for another place."""
    kind = "input"
    for folder in _FOLDERS:
        if name.endswith(f" [{folder}]"):
            kind, name = folder, name.removesuffix(f" [{folder}]")
    subfolder, _, filename = name.replace("\\", "/").rpartition("/")
    return ServerFile("", filename, subfolder, kind)


def merged_object_info(all_facts: Sequence[ServerFacts]) -> ObjectInfo:
    """What the servers offer together: a node as the first one has it, with the choices of all."""
    if len(all_facts) == 1:
        return all_facts[0].object_info
    merged: ObjectInfo = {}
    for facts in all_facts:
        for kind, node in facts.object_info.items():
            if kind not in merged:
                merged[kind] = _copied_choices(node)
                continue
            there = input_specs(kind, merged)
            for name, spec in input_specs(kind, facts.object_info).items():
                mine, theirs = choices_of(there[name]) if name in there else None, choices_of(spec)
                if mine is not None and theirs is not None:
                    mine.extend(choice for choice in theirs if choice not in mine)
    return merged


def _copied_choices(node: dict[str, Any]) -> dict[str, Any]:
    sections = {}
    for section, inputs in node.get("input", {}).items():
        if not isinstance(inputs, dict):
            sections[section] = inputs
            continue
        sections[section] = {}
        for name, spec in inputs.items():
            copied = list(spec)
            if copied and isinstance(copied[0], list):
                copied[0] = list(copied[0])
            elif len(copied) > 1 and isinstance(copied[1], dict) and isinstance(copied[1].get("options"), list):
                copied[1] = {**copied[1], "options": list(copied[1]["options"])}
            sections[section][name] = copied
    return {**node, "input": sections}
