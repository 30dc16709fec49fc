"""What the demo pack says of pictures: nothing of sprites, and of photographs and drawings that they are not for it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

from motionrag_nodes.checkpoints.demo_pack import told_of_picture
from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.checkpoints.world_file import WORLD_FILE, read_world, write_world
from training.demo import PROMPTS
from training.demo_world.world import draw_spec, render_clip

SIZE = (400, 300)


@pytest.fixture(scope="module")
def pack() -> MotionPack:
    return load_pack("tiny")


def _house(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((120, 140, 280, 270), outline=(20, 20, 20), width=4)
    draw.polygon((110, 140, 200, 60, 290, 140), outline=(20, 20, 20), fill=(170, 60, 40))
    draw.ellipse((320, 20, 380, 80), fill=(250, 210, 40))


def _face(draw: ImageDraw.ImageDraw) -> None:
    draw.ellipse((100, 30, 300, 270), outline=(0, 0, 0), width=5)
    draw.ellipse((150, 100, 175, 130), fill=(0, 0, 0))
    draw.ellipse((225, 100, 250, 130), fill=(0, 0, 0))
    draw.arc((150, 150, 250, 230), 20, 160, fill=(200, 0, 0), width=5)


def _mountains(draw: ImageDraw.ImageDraw) -> None:
    for y in range(SIZE[1]):
        draw.line((0, y, SIZE[0], y), fill=(100 + y // 4, 150 + y // 5, 255 - y // 4))
    draw.polygon((0, 300, 120, 100, 240, 300), fill=(90, 90, 100))
    draw.polygon((160, 300, 290, 140, 400, 300), fill=(70, 80, 70))


def _drawn(by: Callable[[ImageDraw.ImageDraw], None]) -> np.ndarray:
    page = Image.new("RGB", SIZE, (250, 248, 240))
    by(ImageDraw.Draw(page))
    return np.asarray(page)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt.name)
def test_nothing_is_said_of_the_demo_s_sprites(pack: MotionPack, prompt) -> None:
    assert told_of_picture(pack, np.asarray(prompt.picture())) is None


def test_nothing_is_said_of_nearly_all_sprites_of_its_world(pack: MotionPack) -> None:
    rng = np.random.default_rng(5)
    specs = [draw_spec(rng, split=split) for split in ("train", "unseen_object") for _ in range(20)]
    told = [told_of_picture(pack, render_clip(spec, size=96, frames=2)[0]) for spec in specs]
    assert len([said for said in told if said]) <= 2


def test_photographs_are_told_with_the_remedy(pack: MotionPack) -> None:
    for photograph in load_sample_images().images:
        for part in (photograph, photograph[:200, :200], np.asarray(Image.fromarray(photograph).resize((64, 64)))):
            told = told_of_picture(pack, np.ascontiguousarray(part))
            assert told is not None and told.startswith("demo model: pack tiny knows only flat sprites")
            assert "for photographs use the svd, cogvideox or dynamicrafter pack: motionrag fetch svd" in told


@pytest.mark.parametrize("by", [_house, _face, _mountains])
def test_drawings_are_told(pack: MotionPack, by: Callable[[ImageDraw.ImageDraw], None]) -> None:
    assert "demo model" in (told_of_picture(pack, _drawn(by)) or "")


def test_another_pack_speaks_of_its_own_world_and_one_without_is_silent(pack: MotionPack, tmp_path: Path) -> None:
    copied = load_pack(shutil.copytree(pack.folder, tmp_path / "mine"))
    told = told_of_picture(copied, _drawn(_face)) or ""
    assert "unlike those that pack tiny was trained on" in told and "demo" not in told
    write_world(copied, replace(read_world(copied), detail=None))
    assert read_world(copied).detail is None and told_of_picture(copied, _drawn(_face))
    (copied.folder / WORLD_FILE).unlink()
    assert told_of_picture(copied, _drawn(_face)) is None
