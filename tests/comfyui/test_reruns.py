"""What a queue of runs costs: cancelling, running again only what changed, noticing a grown database, flat memory."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index_builder.build import build_database
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from tests.comfyui.conftest import RunningComfyUI, write_clip
from tests.comfyui.runs import Graph, Reported, queue, resident_mb

pytestmark = pytest.mark.comfyui

DIFFUSERS, NATIVE = "image_to_video_with_motion", "native_svd_with_motion"
IMAGE, PACK, DATABASE, RETRIEVE, ADAPT = "1", "2", "3", "4", "5"  # in both workflows
# Queued runs, those of them that come before memory is looked at, and the MiB by which the others may let it grow: 0.75
# for each. Measured: 0.7 MiB in all.
RUNS, WARM_UP, MAY_GROW_MB = 24, 8, 12
# What samples in each, and what comes after it.
SAMPLING = {DIFFUSERS: ["7", "8"], NATIVE: ["10", "11", "12", "13"]}


@pytest.fixture
def quick(api_graph: Callable[[str], Graph], comfyui: RunningComfyUI, picture: Path) -> Callable[..., Graph]:
    """A workflow's graph with the fewest steps and frames, and any inputs changed: node=dict(input=value)."""
    (comfyui.server.base / "input" / picture.name).write_bytes(picture.read_bytes())

    def make(name: str, **nodes: dict[str, Any]) -> Graph:
        graph = copy.deepcopy(api_graph(name))
        graph[IMAGE]["inputs"]["image"] = picture.name
        graph[SAMPLING[name][0]]["inputs"]["steps"] = 1
        frames = ("7", "frame_count") if name == DIFFUSERS else ("8", "video_frames")
        graph[frames[0]]["inputs"][frames[1]] = 2
        for node, inputs in nodes.items():
            graph[node.removeprefix("n")]["inputs"].update(inputs)
        return graph

    return make


def ran(comfyui: RunningComfyUI, graph: Graph) -> tuple[Reported, set[str]]:
    """The report and the nodes that ran; every other one must have been reported as cached."""
    report = queue(comfyui, graph)
    assert report.run is not None, f"{report.failure}\n{comfyui.server.log_tail(40)}"
    nodes = {node for node, entry in graph.items() if entry["class_type"] != "MarkdownNote"}
    assert set(report.run.cached_nodes) == nodes - report.executed
    return report, report.executed


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        (DIFFUSERS, {"n4": {"prompt": "a square moves down"}}, {RETRIEVE, ADAPT, "7", "8"}),
        (DIFFUSERS, {"n5": {"fusion": "mean"}}, {ADAPT, "7", "8"}),
        (DIFFUSERS, {"n7": {"strength": 0.5}}, {"7", "8"}),
        (NATIVE, {"n4": {"prompt": "a square moves down"}}, {RETRIEVE, ADAPT, "7", "9", "10", "11", "12", "13"}),
        (NATIVE, {"n7": {"strength": 0.5}}, {"7", "9", "10", "11", "12", "13"}),
        (NATIVE, {"n10": {"seed": 5}}, {"10", "11", "12", "13"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) if isinstance(value, dict) else "",
)
def test_only_what_depends_on_a_change_runs_again(
    comfyui: RunningComfyUI, quick: Callable[..., Graph], name: str, change: dict[str, Any], expected: set[str]
) -> None:
    queue(comfyui, quick(name))
    assert ran(comfyui, quick(name))[1] == set()
    assert ran(comfyui, quick(name, **change))[1] == expected


def test_a_database_extended_on_disk_is_noticed_at_the_next_queue(
    comfyui: RunningComfyUI, quick: Callable[..., Graph], tmp_path: Path
) -> None:
    encoder, database = PackClipEncoder(load_pack("tiny")), comfyui.databases / "growing"
    write_clip(tmp_path / "one.mp4", colour="red", direction="right")
    build_database([tmp_path], output=database, encoder=encoder, workers=1)
    graph = quick(DIFFUSERS, n3={"database": "growing"})
    try:
        report, _ = ran(comfyui, graph)
        assert len(report.shown(RETRIEVE)["neighbours"]) == 1
        assert ran(comfyui, graph)[1] == set()
        write_clip(tmp_path / "two.mp4", colour="blue", direction="down")
        build_database([tmp_path], output=database, encoder=encoder, workers=1)
        report, executed = ran(comfyui, graph)
        assert executed == {DATABASE, RETRIEVE, ADAPT, "7", "8"}
        assert len(report.shown(RETRIEVE)["neighbours"]) == 2
    finally:
        shutil.rmtree(database)


@pytest.mark.parametrize("name", [DIFFUSERS, NATIVE])
def test_cancel_stops_within_a_step_and_frees_its_memory(
    comfyui: RunningComfyUI, quick: Callable[..., Graph], name: str
) -> None:
    """A run of 256 x 256 pixels holds about 50 MiB more than one of 64 x 64; what a cancelled one kept would add up."""
    large = {"width": 256, "height": 256}
    sampler, change = SAMPLING[name][0], {"n7": {**large, "steps": 50}}
    if name == NATIVE:
        change = {"n8": large, "n10": {"steps": 50}}
    held = []
    for _ in range(3):
        steps: list[int] = []

        def cancel_after_the_first_step(kind: str, data: dict[str, Any], steps: list[int] = steps) -> None:
            if kind == "progress" and data["max"] == 50:
                steps.append(data["value"])
                if len(steps) == 1:
                    comfyui.post("/interrupt", {})

        report = queue(comfyui, quick(name, **change), cancel_after_the_first_step)
        assert f"interrupted it at node {sampler} " in report.failure
        assert len(steps) <= 2  # one step may have been reported while the request travelled
        held.append(resident_mb(comfyui))
    assert held[-1] - held[0] < 32, held
    assert ran(comfyui, quick(name))[0].run is not None  # and the next run works


@pytest.mark.parametrize("name", [DIFFUSERS, NATIVE])
def test_queued_runs_leave_memory_flat(comfyui: RunningComfyUI, quick: Callable[..., Graph], name: str) -> None:
    """In each run the neighbours, the adapted motion, the video and its file are made again."""
    prompts = ("a square moves right", "a square moves down")
    seeded = SAMPLING[name][0]
    graphs = [quick(name, n4={"prompt": prompts[i % 2]}, **{f"n{seeded}": {"seed": i}}) for i in range(RUNS)]
    queue_and_wait(comfyui, graphs[:WARM_UP])
    warm = resident_mb(comfyui)
    queue_and_wait(comfyui, graphs[WARM_UP:])
    grown = resident_mb(comfyui) - warm
    assert grown < MAY_GROW_MB, f"{warm:.0f} MiB after {WARM_UP} runs, {grown:+.1f} MiB after {RUNS}"


def queue_and_wait(comfyui: RunningComfyUI, graphs: list[Graph]) -> None:
    """All of them into the queue at once, then until the last has ended, every one without an error."""
    ids = [comfyui.post("/prompt", {"prompt": graph})[1]["prompt_id"] for graph in graphs]
    history: dict[str, Any] = {}
    while not set(ids) <= set(history):
        time.sleep(0.5)
        history = comfyui.get("/history")
    assert {history[prompt]["status"]["status_str"] for prompt in ids} == {"success"}
