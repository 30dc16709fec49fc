"""A job that kills the real ComfyUI is set aside after three deaths, with the end of its log, and the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from motionrag_nodes.batch_render.request import RenderRequest
from motionrag_nodes.batch_render.run import render_workflows
from motionrag_nodes.batch_render.server.access import Access
from motionrag_nodes.batch_render.server.install import find_comfyui
from motionrag_nodes.batch_render.server.own_server import ComfyUIServer
from motionrag_nodes.batch_render.server.target import Target

pytestmark = pytest.mark.comfyui

POISON = """
import os, signal
from pathlib import Path

class Poison:
    CATEGORY, FUNCTION, RETURN_TYPES = "tests", "take", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "deadly": ("BOOLEAN", {"default": False})}}

    def take(self, image, deadly):
        if deadly:
            print("the last words of this server", flush=True)
            with Path(__file__).with_name("deaths").open("a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)
        return (image,)

NODE_CLASS_MAPPINGS = {"Poison": Poison}
"""
GRAPH = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 255}},
    "2": {"class_type": "Poison", "inputs": {"image": ["1", 0], "deadly": False}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "out"}},
}


def test_a_job_that_kills_the_server_three_times_is_set_aside(tmp_path: Path) -> None:
    pack = tmp_path / "base" / "custom_nodes" / "poison"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(POISON)
    workflow, table = tmp_path / "poison.json", tmp_path / "jobs.csv"
    workflow.write_text(json.dumps(GRAPH))
    table.write_text("name,2.deadly,1.color\nbefore,false,1\ndeadly,true,2\nafter,false,3\n")
    # Without other packs it starts in half the time, and it starts four times.
    alone = ("--disable-all-custom-nodes", "--whitelist-custom-nodes", "poison")
    server = ComfyUIServer(find_comfyui(), base=tmp_path / "base", cache=tmp_path / "cache", arguments=alone)
    with server.start():
        request = RenderRequest([workflow], tmp_path / "out", table=table)
        report = render_workflows(request, targets=[Target(Access(server.url), own=server)])
    assert [(record.name, record.status) for record in report.records] == [
        ("before", "done"),
        ("deadly", "failed"),
        ("after", "done"),
    ]
    error = report.failed[0].error or ""
    assert error.startswith("Tried 3 times: ComfyUI stopped while it ran this job. The end of its log:\n")
    assert "the last words of this server" in error
    assert (pack / "deaths").read_text() == "xxx"
    assert all(list((tmp_path / "out" / name).glob("*_1.png")) for name in ("before", "after"))
