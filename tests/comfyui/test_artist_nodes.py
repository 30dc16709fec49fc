"""Nodes for artists in the real ComfyUI: the simple path, steering, the info node, indexing from the editor, doctor."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image, ImageSequence

from index_builder.clips.thumbnails import STRIP_FRAMES
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from tests.comfyui.conftest import DATABASE_NAME, RunningComfyUI, write_clip
from tests.comfyui.runs import Graph, queue

pytestmark = pytest.mark.comfyui
STEPS = 2


@pytest.fixture
def simple(picture: Path, comfyui: RunningComfyUI) -> Graph:
    """Picture -> Find Motion -> Generate Video -> Save Video."""
    shutil.copy(picture, comfyui.server.base / "input" / "artist.png")
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "artist.png"}},
        "2": {
            "class_type": "MotionRAGFindMotion",
            "inputs": {
                "image": ["1", 0],
                "prompt": "a red square moves right",
                "database": DATABASE_NAME,
                "pack": "tiny",
                "clips": 4,
                "exclude": "",
            },
        },
        "3": {"class_type": "MotionRAGGenerateVideo", "inputs": {"image": ["1", 0], "motion": ["2", 0], **_settings()}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }


def _settings() -> dict[str, Any]:
    own = dict.fromkeys(("frame_count", "fps", "width", "height", "decode_chunk_size"), 0)
    guidance = {"min_guidance": 0.0, "max_guidance": 0.0, "motion_bucket_id": -1, "noise_aug_strength": -1.0}
    return {"seed": 5, "strength": 1.0, "start": 0.0, "end": 1.0, "steps": STEPS, **own, **guidance}


@pytest.fixture
def advanced(simple: Graph) -> Graph:
    """The same as `simple` by the nodes it stands for."""
    find = simple.pop("2")["inputs"]
    simple["5"] = {"class_type": "MotionRAGLoadMotionPack", "inputs": {"pack": "tiny"}}
    simple["6"] = {"class_type": "MotionRAGLoadMotionDatabase", "inputs": {"database": DATABASE_NAME}}
    retrieve = {"database": ["6", 0], "pack": ["5", 0], "prompt": find["prompt"], "mode": "prompt", "top_k": 4}
    retrieve |= {"min_score": -1.0, "diversity": 0.0, "exclude": ""}
    simple["7"] = {"class_type": "MotionRAGRetrieveNeighbours", "inputs": retrieve}
    adapt = {"pack": ["5", 0], "neighbours": ["7", 0], "image": ["1", 0], "fusion": "context transformer"}
    simple["8"] = {"class_type": "MotionRAGAdaptMotion", "inputs": adapt}
    simple["9"] = {
        "class_type": "MotionRAGLoadVideoModel",
        "inputs": {"pack": ["5", 0], "model": "from the motion pack"},
    }
    simple["9"]["inputs"]["precision"] = "auto"
    simple["3"]["inputs"] |= {"motion": ["8", 0], "video_model": ["9", 0]}
    return simple


def _fetch(comfyui: RunningComfyUI, item: Any) -> Image.Image:
    query = {"filename": item.filename, "subfolder": item.subfolder, "type": item.kind}
    with urllib.request.urlopen(f"{comfyui.url}/view?{urlencode(query)}", timeout=30) as response:
        picture = Image.open(response)
        picture.load()
        return picture


def _pictures(comfyui: RunningComfyUI, report: Any, node: str) -> list[np.ndarray]:
    assert report.run is not None, report.failure
    return [np.asarray(_fetch(comfyui, item).convert("RGB")) for item in report.run.files if item.node_id == node]


def test_four_nodes_make_the_same_video_as_the_nodes_they_stand_for(
    comfyui: RunningComfyUI, simple: Graph, request: pytest.FixtureRequest
) -> None:
    short = queue(comfyui, simple)
    frames = _pictures(comfyui, short, "4")
    neighbours = short.shown("2")["neighbours"]
    assert [row["rank"] for row in neighbours] == [1, 2, 3, 4] and len(frames) > 1
    long = queue(comfyui, request.getfixturevalue("advanced"))
    np.testing.assert_array_equal(frames, _pictures(comfyui, long, "4"))
    assert long.shown("7")["neighbours"] == neighbours


def test_find_motion_plays_the_clips_and_keeps_what_need_not_run_again(comfyui: RunningComfyUI, simple: Graph) -> None:
    simple["2"]["inputs"]["prompt"] = "a blue square moves down"
    first = queue(comfyui, simple)
    (sheet,) = (item for item in first.run.files if item.node_id == "2")
    film = _fetch(comfyui, sheet)
    frames = [np.asarray(frame.convert("RGB"), dtype=int) for frame in ImageSequence.Iterator(film)]
    assert film.format == "WEBP" and len(frames) == STRIP_FRAMES
    assert np.abs(frames[0] - frames[-1]).max() > 60
    simple["2"]["inputs"]["prompt"] = "a green square moves down"
    again = queue(comfyui, simple)
    # Inside Find Motion: pack and database (1, 2) are kept, looking up and adapting (3, 4) run.
    inside = sorted(node.rsplit(".", 1)[-1] for node in again.executed if node.startswith("2."))
    assert inside == ["3", "4"] and "1" not in again.executed


def test_an_empty_prompt_goes_by_the_picture(comfyui: RunningComfyUI, simple: Graph) -> None:
    simple["2"]["inputs"]["prompt"] = " "
    del simple["3"]
    simple["4"] = {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}}
    assert len(queue(comfyui, simple).shown("2")["neighbours"]) == 4


def test_a_video_model_is_asked_for_where_no_motion_gives_one(comfyui: RunningComfyUI, simple: Graph) -> None:
    del simple["2"], simple["3"]["inputs"]["motion"]
    assert (
        "Expected a video model, received none: connect Load Video Model, or connect motion"
        in queue(comfyui, simple).failure
    )


def test_pins_and_weights_steer_and_show(comfyui: RunningComfyUI, advanced: Graph) -> None:
    plain = queue(comfyui, advanced)
    advanced["7"]["inputs"] |= {"pin": "green-down", "weights": "#2: 3\nblue-down: 0", "exclude": "red-down"}
    steered = queue(comfyui, advanced)
    rows = steered.shown("7")["neighbours"]
    assert rows[0]["source"].endswith("green-down.mp4") and rows[0]["pinned"]
    assert rows[1]["weight"] == 3 and not rows[1]["pinned"]
    assert all(row["weight"] == 0 for row in rows if row["source"].endswith("blue-down.mp4"))
    assert not any(row["source"].endswith("red-down.mp4") for row in rows)
    difference = np.abs(np.array(_pictures(comfyui, plain, "4"), int) - np.array(_pictures(comfyui, steered, "4"), int))
    assert difference.max() > 10


def test_a_weight_that_cannot_be_read_is_refused_before_anything_runs(comfyui: RunningComfyUI, advanced: Graph) -> None:
    advanced["7"]["inputs"]["weights"] = "#1: 2\nskier much"
    status, answer = comfyui.post("/prompt", {"prompt": advanced})
    assert status == 400 and "Expected NAME: WEIGHT in line 2" in json.dumps(answer)


def test_the_info_node_tells_and_draws_what_a_database_holds(comfyui: RunningComfyUI) -> None:
    sizes = {"samples": 4, "map_size": 256, "map_clips": 50}
    graph: Graph = {
        "1": {"class_type": "MotionRAGLoadMotionDatabase", "inputs": {"database": DATABASE_NAME}},
        "2": {"class_type": "MotionRAGDatabaseInfo", "inputs": {"database": ["1", 0], **sizes}},
    }
    report = queue(comfyui, graph)
    (text,) = report.shown("2")["text"]
    assert "clips: 6" in text and "with caption: 6 of 6" in text and "disk:" in text and "fingerprint" in text
    sheet, atlas = _pictures(comfyui, report, "2")
    assert atlas.shape == (256, 256, 3) and sheet.shape[1] > 600
    assert sheet.std() > 10 and atlas.std() > 10


@pytest.fixture
def library(comfyui: RunningComfyUI) -> Iterator[Path]:
    """A folder of videos in ComfyUI's input folder; databases made by a test are removed after it."""
    folder = comfyui.server.base / "input" / "library"
    (folder / "more").mkdir(parents=True)
    for number, colour in enumerate(("red", "green", "blue")):
        write_clip(folder / f"{colour}.mp4", colour=colour, direction="right")
        (folder / f"{colour}.txt").write_text(f"{colour} moves right, {number}")
    yield folder
    shutil.rmtree(folder)
    shutil.rmtree(comfyui.server.base / "models" / "motion_databases" / "from_editor", ignore_errors=True)


def _index(**changed: Any) -> Graph:
    inputs = {"folder": "input/library", "name": "from_editor", "clips_per_video": 1}
    inputs |= {"captions": "(text files beside the videos)", **changed}
    return {
        "1": {"class_type": "MotionRAGLoadMotionPack", "inputs": {"pack": "tiny"}},
        "2": {"class_type": "MotionRAGIndexFolder", "inputs": {"pack": ["1", 0], **inputs}},
    }


def test_a_database_is_built_extended_and_offered(comfyui: RunningComfyUI, library: Path) -> None:
    (library / "torn.mp4").write_bytes(b"no video")
    report = queue(comfyui, _index())
    (text,) = report.shown("2")["text"]
    assert "3 clips in " in text and "3 indexed, 0 skipped, 1 failed" in text and "torn.mp4" in text
    assert any(kind == "progress" and data["max"] == 4 for kind, data in report.events)
    target = comfyui.server.base / "models" / "motion_databases" / "from_editor"
    assert {row.caption for row in MotionDatabase.open(target).rows(MotionDatabase.open(target).ids())} == {
        f"{colour} moves right, {number}" for number, colour in enumerate(("red", "green", "blue"))
    }
    offered = comfyui.get("/object_info/MotionRAGFindMotion")["MotionRAGFindMotion"]["input"]["required"]["database"]
    assert "from_editor" in offered[1]["options"]
    before = comfyui.get("/motionrag/databases")["from_editor"]
    # Nothing changed: nothing runs. A new video is noticed, by the node and by `motionrag render`.
    assert "2" not in queue(comfyui, _index()).executed
    write_clip(library / "more" / "fourth.mp4", colour="red", direction="down")
    (text,) = queue(comfyui, _index()).shown("2")["text"]
    assert "4 clips in " in text and "1 indexed, 3 skipped" in text
    assert comfyui.get("/motionrag/databases")["from_editor"] > before


def test_captions_may_come_from_a_table(comfyui: RunningComfyUI, library: Path) -> None:
    (library / "captions.csv").write_text("path,caption\nred.mp4,from the table\n")
    report = queue(comfyui, _index(captions="input/library/captions.csv"))
    assert report.run is not None, report.failure
    target = comfyui.server.base / "models" / "motion_databases" / "from_editor"
    captions = [caption for (caption,) in MotionDatabase.open(target).each_row("caption")]
    assert "from the table" in captions


def test_cancel_keeps_what_is_done_and_the_next_run_goes_on(comfyui: RunningComfyUI, library: Path) -> None:
    for number in range(40):
        write_clip(library / "more" / f"{number:02d}.mp4", colour="blue", direction="down")
        with (library / "more" / f"{number:02d}.mp4").open("ab") as file:
            file.write(bytes([number]))  # the same pictures, another content

    def cancel_after_some(kind: str, data: dict[str, Any]) -> None:
        if kind == "progress" and data["node"] == "2" and data["value"] >= 10:
            comfyui.post("/interrupt", {})

    stopped = queue(comfyui, _index(), cancel_after_some)
    assert stopped.run is None and "nterrupted" in stopped.failure
    target = comfyui.server.base / "models" / "motion_databases" / "from_editor"
    assert verify_database(target).sound
    kept = len(MotionDatabase.open(target))
    assert 0 < kept < 43
    (text,) = queue(comfyui, _index()).shown("2")["text"]
    assert "43 clips in " in text and f"{43 - kept} indexed, {kept} skipped" in text
    assert verify_database(target).sound


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"folder": "/etc"}, "Expected the folder of videos '/etc'"),
        ({"folder": "input/../.."}, "Expected the folder of videos"),
        ({"captions": "/etc/passwd"}, "Expected the caption table '/etc/passwd'"),
        ({"name": "../../out"}, "Expected a name for the database"),
        ({"name": ""}, "Expected a name for the database"),
    ],
)
def test_nothing_outside_the_allowed_folders_is_read_or_written(
    comfyui: RunningComfyUI, library: Path, changed: dict[str, Any], message: str
) -> None:
    status, answer = comfyui.post("/prompt", {"prompt": _index(**changed)})
    assert status == 400 and message in json.dumps(answer)


def test_a_folder_without_a_readable_video_says_why(comfyui: RunningComfyUI, library: Path) -> None:
    for video in library.glob("*.mp4"):
        video.write_bytes(b"no video")
    assert "Expected at least one video that can be read in" in queue(comfyui, _index()).failure


def test_the_doctor_looks_at_this_comfyui(comfyui: RunningComfyUI) -> None:
    graph: Graph = {"1": {"class_type": "MotionRAGDoctor", "inputs": {"only_faults": False}}}
    (text,) = queue(comfyui, graph).shown("1")["text"]
    assert f"ComfyUI: {comfyui.server.install.version}" in text and "tiny: loads; for svd" in text
    assert str(comfyui.server.base / "models" / "motion_databases") in text
    assert f"{DATABASE_NAME}: opens: 6 clips" in text and "fits tiny" in text
    assert " problem " not in text and "no problem" in text
    # Asked again it looks again.
    assert "1" in queue(comfyui, graph).executed
