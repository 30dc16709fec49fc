"""Models are found where ComfyUI's own configuration says, and a choice that is not there is answered in full.

ComfyUI's modules are imported in a process of their own: they take the command line and the folders of whoever starts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from motionrag_nodes.batch_render.server.install import checkout_folder, find_comfyui, working_copy
from motionrag_nodes.checkpoints.find_models import PACKAGED_DATABASES, PACKAGED_SAMPLES

PROGRAM = """
import json, sys
import folder_paths
from utils.extra_config import load_extra_path_config
load_extra_path_config(sys.argv[1])
from motionrag_nodes.nodes import model_folders, video_folders
from index_builder.errors import MotionRAGError
model_folders.register()

def message(choose, name):
    try:
        choose(name)
    except MotionRAGError as error:
        return str(error)

print(json.dumps({
    "packs": {name: str(path) for name, path in model_folders.packs().items()},
    "databases": {name: str(path) for name, path in model_folders.databases().items()},
    "videos": {name: str(path) for name, path in video_folders.folders().items()},
    "new": str(model_folders.new_database("winter")),
    "not_packaged": str(model_folders.new_database("demo_world")),
    "known": str(model_folders.new_database("studio")),
    "no_database": message(model_folders.database, "absent"),
    "no_pack": message(model_folders.pack, "absent"),
    "no_model": message(model_folders.base_model, "absent"),
    "no_videos": message(video_folders.folder, "absent"),
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a ComfyUI with an extra_model_paths.yaml finds; `root` is where everything of ours lies."""
    root = tmp_path_factory.mktemp("folders")
    shared = root / "shared"
    for mark in (
        "packs/own/pack.json",
        "databases/studio/manifest-000001.json",
        "clips/a/video.mp4",
        "clips/b/note.txt",
    ):
        (shared / mark).parent.mkdir(parents=True)
        (shared / mark).touch()
    (shared / "clips" / "out").symlink_to("/etc", target_is_directory=True)
    (root / "extra_model_paths.yaml").write_text(
        f"studio:\n  base_path: {shared}\n  motionrag: packs\n  motion_databases: databases\n  motion_videos: clips\n"
    )
    app = working_copy(find_comfyui(), root / "cache")
    base = root / "base"
    (base / "input").mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(app), str(checkout_folder())])}
    environment.pop("MOTIONRAG_DATABASES", None)
    command = [sys.executable, "-c", PROGRAM, str(root / "extra_model_paths.yaml")]
    ended = subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    shutil.rmtree(root / "cache")
    return {**json.loads(ended.stdout.splitlines()[-1]), "shared": str(shared), "app": str(app)}


def test_extra_model_paths_are_searched(found: dict[str, Any]) -> None:
    shared = found["shared"]
    assert found["packs"]["own"] == f"{shared}/packs/own" and "tiny" in found["packs"]
    assert found["databases"] == {
        "studio": f"{shared}/databases/studio",
        "demo_world": str(PACKAGED_DATABASES / "demo_world"),
    }


def test_a_new_database_goes_into_the_first_folder_and_a_known_one_stays(found: dict[str, Any]) -> None:
    assert found["new"] == f"{found['shared']}/databases/winter"
    assert found["not_packaged"] == f"{found['shared']}/databases/demo_world"
    assert found["known"] == f"{found['shared']}/databases/studio"


def test_folders_of_videos_are_the_configured_ones_without_links(found: dict[str, Any]) -> None:
    assert found["videos"] == {
        "clips": f"{found['shared']}/clips",
        "clips/a": f"{found['shared']}/clips/a",
        "motionrag_clips": str(PACKAGED_SAMPLES / "motionrag_clips"),
    }


@pytest.mark.parametrize(
    ("choice", "expected", "folder", "command"),
    [
        ("no_database", "absent/manifest-*.json", "databases", "motionrag index build CLIPS_FOLDER --output {}/absent"),
        ("no_pack", "absent/pack.json", "packs", "motionrag convert --backbone svd "),
    ],
)
def test_what_is_not_found_is_told_in_full(
    found: dict[str, Any], choice: str, expected: str, folder: str, command: str
) -> None:
    searched = f"{found['shared']}/{folder}"
    message = found[choice]
    assert f"'absent' ({expected} in one of " in message and searched in message
    assert f"{found['app']}/models/" in message
    assert command.format(searched) in message


def test_the_message_for_a_video_model_and_for_videos(found: dict[str, Any]) -> None:
    assert "Expected the video model 'absent' (absent/model_index.json in one of " in found["no_model"]
    assert "hf download stabilityai/stable-video-diffusion-img2vid --local-dir " in found["no_model"]
    assert "motion_videos in extra_model_paths.yaml" in found["no_videos"]
