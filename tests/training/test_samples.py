"""What the package brings for its templates: sound, of the packaged pack, without a trace of where it was made."""

import json
from pathlib import Path

import pytest

from editor_pictures.templates import runnable_templates
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.batch_render.server.install import checkout_folder
from motionrag_nodes.checkpoints.find_models import PACKAGED_DATABASES, PACKAGED_SAMPLES
from motionrag_nodes.checkpoints.pack import load_pack
from training.demo import DATABASE_NAME
from training.samples import CLIPS, OWN_CLIPS, PICTURES, REFERENCE

MAX_BYTES = 1_500_000
TEMPLATES = runnable_templates(checkout_folder() / "workflows")


def test_the_database_is_sound_and_of_the_packaged_pack() -> None:
    folder = PACKAGED_DATABASES / DATABASE_NAME
    assert verify_database(folder).sound
    database = MotionDatabase.open(folder)
    assert len(database) == CLIPS and load_pack("tiny").tokens_fingerprint in database.tokens_fingerprints
    sources = [source for (source,) in database.each_row("source")]
    assert all(source.startswith(f"{DATABASE_NAME}/") and source.endswith(".mp4") for source in sources)


def test_the_samples_are_all_there_and_small() -> None:
    assert {path.name for path in (PACKAGED_SAMPLES / "input").iterdir()} == {*PICTURES, REFERENCE}
    clips = sorted((PACKAGED_SAMPLES / "motionrag_clips").glob("*.mp4"))
    assert len(clips) == OWN_CLIPS and all(clip.with_suffix(".txt").read_text().strip() for clip in clips)
    assert sum(path.stat().st_size for path in PACKAGED_SAMPLES.rglob("*") if path.is_file()) < MAX_BYTES


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_names_nothing_that_does_not_come_with_the_package(template: Path) -> None:
    """ComfyUI's own example.png is missing where a user chose an input folder."""
    files = {path.name for path in (PACKAGED_SAMPLES / "input").iterdir()}
    for node in json.loads(template.read_text(encoding="utf-8"))["nodes"]:
        if node["type"] in ("LoadImage", "MotionRAGEncodeReferenceVideos"):
            assert node["widgets_values"][0] in files
