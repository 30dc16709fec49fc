"""The saved workflows, rendered by `motionrag render` on the real ComfyUI to videos that decode."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from editor_pictures.templates import runnable_templates
from index_builder.build import build_database
from index_builder.clips.thumbnails import STRIP_FRAMES
from motionrag_nodes.batch_render.errors import NodeValueError
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.cli.render import render
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from tests.comfyui.conftest import DATABASE_NAME, PACKAGED_DATABASE, RunningComfyUI, write_clip
from tests.comfyui.runs import Graph, frames_before_encoding
from tests.motionrag_nodes.batch_render.rendering import render_on

pytestmark = pytest.mark.comfyui

app = typer.Typer()
app.command()(render)
GENERATE, RETRIEVE, DATABASE = "Generate Video", "Retrieve Neighbours", "Load Motion Database"
FEW_STEPS = f"{GENERATE}.steps=2"


def _frames(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def _render(comfyui: RunningComfyUI, output: Path, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--server", comfyui.url, "--output", str(output), "--json"])
    assert result.exit_code == 0, f"{result.stderr}\n{result.exception}\n{comfyui.server.log_tail(60)}"
    report: dict[str, Any] = json.loads(result.stdout)
    return {job["name"]: job for job in report["jobs"]}


def test_every_saved_workflow_becomes_a_video(
    comfyui: RunningComfyUI, workflows: Path, picture: Path, tmp_path: Path
) -> None:
    files = [path for path in runnable_templates(workflows) if path.stem != "index_my_videos"]
    nodes = {"compare_motions": "Compare Motions", "storyboard": "Storyboard Video"}
    jobs = {}
    for node in (GENERATE, *nodes.values()):
        paths = [str(path) for path in files if nodes.get(path.stem, GENERATE) == node]
        steps = FEW_STEPS if node == GENERATE else f"{node}.steps=1"
        jobs |= _render(comfyui, tmp_path, *paths, "--set", f"Image.image={picture}", "--set", steps)
    assert set(jobs) == {path.stem for path in files}
    for name, job in jobs.items():
        video = next(output for output in job["outputs"] if output["file"].endswith(".mp4"))
        path = tmp_path / video["file"]
        assert video["file"].startswith(f"{name}/")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == video["sha256"]
        frames = _frames(path)
        assert frames.shape[0] > 1
        assert frames.std() > 0
        assert sum(job["node_seconds"].values()) > 0


def test_neighbours_are_shown_and_reported(
    comfyui: RunningComfyUI, workflows: Path, picture: Path, tmp_path: Path
) -> None:
    settings = ["--set", f"Image.image={picture}", "--set", FEW_STEPS, "--set", f"{RETRIEVE}.top_k=3"]
    jobs = _render(comfyui, tmp_path, str(workflows / "image_to_video_with_motion.json"), *settings)
    job = jobs["image_to_video_with_motion"]
    neighbours = job["shown"]["4"]["neighbours"]
    assert [row["rank"] for row in neighbours] == [1, 2, 3]
    assert [row["score"] for row in neighbours] == sorted((row["score"] for row in neighbours), reverse=True)
    assert all(row["caption"] and row["source"].startswith(PACKAGED_DATABASE) for row in neighbours)
    sheet = next(output for output in job["outputs"] if output["kind"] == "preview" and output["node"] == "4")
    with Image.open(tmp_path / sheet["file"]) as film:
        assert film.format == "WEBP" and film.n_frames == STRIP_FRAMES


def test_a_database_that_has_grown_is_rendered_again(
    comfyui: RunningComfyUI, workflows: Path, picture: Path, tmp_path: Path
) -> None:
    encoder, database, clips = PackClipEncoder(load_pack("tiny")), comfyui.databases / "growing", tmp_path / "clips"
    clips.mkdir()
    write_clip(clips / "one.mp4", colour="red", direction="right")
    build_database([clips], output=database, encoder=encoder, workers=1)
    settings = ["--set", f"Image.image={picture}", "--set", FEW_STEPS, "--set", f"{DATABASE}.database=growing"]
    name = "image_to_video_with_motion"
    arguments = [str(workflows / f"{name}.json"), *settings]
    try:
        first = _render(comfyui, tmp_path / "out", *arguments)[name]
        assert _render(comfyui, tmp_path / "out", *arguments)[name]["skipped"]
        write_clip(clips / "two.mp4", colour="blue", direction="down")
        build_database([clips], output=database, encoder=encoder, workers=1)
        again = _render(comfyui, tmp_path / "out", *arguments)[name]
    finally:
        shutil.rmtree(database)
    assert [len(job["shown"]["4"]["neighbours"]) for job in (first, again)] == [1, 2]


def test_a_job_table_gives_a_video_a_row_and_a_second_run_none(
    comfyui: RunningComfyUI, workflows: Path, picture: Path, tmp_path: Path
) -> None:
    table = picture.parent / "jobs.csv"
    table.write_text(
        f"name,Image.image,{RETRIEVE}.prompt,{GENERATE}.seed\n"
        f"right,{picture.name},a square moves right,1\n"
        f"down,{picture.name},a square moves down,1\n"
    )
    workflow = str(workflows / "image_to_video_with_motion.json")
    arguments = [workflow, "--jobs", str(table), "--set", FEW_STEPS, "--set", f"3.database={DATABASE_NAME}"]
    jobs = _render(comfyui, tmp_path, *arguments)
    assert {path.parent.name for path in tmp_path.glob("*/Save_Video_1.mp4")} == {"right", "down"}
    again = _render(comfyui, tmp_path, *arguments)
    assert all(job["skipped"] for job in again.values())
    assert again["right"]["prompt_id"] == jobs["right"]["prompt_id"]


def test_strength_zero_is_the_plain_model_bit_for_bit(
    comfyui: RunningComfyUI, api_graph: Callable[[str], Graph], picture: Path
) -> None:
    (comfyui.server.base / "input" / picture.name).write_bytes(picture.read_bytes())
    found = []
    for name, strength in (("image_to_video_without_motion", {}), ("image_to_video_with_motion", {"strength": 0.0})):
        graph = api_graph(name)
        by_class = {node["class_type"]: number for number, node in graph.items()}
        generate = by_class["MotionRAGGenerateVideo"]
        graph[by_class["LoadImage"]]["inputs"]["image"] = picture.name
        graph[generate]["inputs"] |= {"steps": 2, **strength}
        found.append(frames_before_encoding(comfyui, graph, [generate, 0]))
    np.testing.assert_array_equal(*found)


def test_a_wrong_name_is_told_before_anything_is_queued(
    comfyui: RunningComfyUI, workflows: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(
        app,
        [
            str(workflows / "image_to_video_with_motion.json"),
            *("--set", "3.database=winter", "--server", comfyui.url, "--output", str(tmp_path)),
        ],
    )
    assert isinstance(result.exception, NodeValueError)
    assert f"Expected one of its choices, received 'winter'. They are '{DATABASE_NAME}'" in str(result.exception)


def test_a_node_s_own_error_reaches_the_report_in_its_words(
    comfyui: RunningComfyUI, workflows: Path, tmp_path: Path
) -> None:
    report = render_on(
        comfyui.url,
        workflows / "reference_videos_to_video.json",
        tmp_path,
        assignments=["3.videos=(none: use the connected frames)"],
    )
    assert "Expected a motion to read, received none: choose a video, or connect frames." in (
        report.failed[0].error or ""
    )
    assert report.failed[0].node_errors[0]["type"] == "ChoiceNotFound"


def test_a_folder_of_references(comfyui: RunningComfyUI, workflows: Path, tmp_path: Path) -> None:
    workflow = str(workflows / "reference_videos_to_video.json")
    _render(comfyui, tmp_path, workflow, "--set", "3.videos=references/", "--set", FEW_STEPS)
    assert len(_frames(tmp_path / "reference_videos_to_video" / "Save_Video_1.mp4")) > 1
