"""The pack that ships: references move the picture their way. Floors lie well below what was seen when it was made."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion, adapt_motion
from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import VideoModel, load_video_model
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
from training.demo_world.world import ClipSpec, draw_spec, render_clip

SIZE_PIXELS = 64
REFERENCES = 9
# Half of the pack's own: enough to tell where the picture goes.
STEPS = 10


@pytest.fixture(scope="module")
def pack() -> MotionPack:
    return load_pack("tiny")


@pytest.fixture(scope="module")
def model(pack: MotionPack) -> VideoModel:
    return load_video_model(None, pack=pack)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """An object of the unseen-object split, at rest in the middle."""
    spec = ClipSpec("triangle", "white", "black", "left", x=0.0, y=0.0, radius=0.19, reach=0.3)
    return render_clip(spec, size=SIZE_PIXELS)[0]


def adapted(pack: MotionPack, picture: np.ndarray, motion: str) -> AdaptedMotion:
    """Motion adapted from clips of other objects that move in one way."""
    rng = np.random.default_rng(2)
    clips = [render_clip(draw_spec(rng, motions=[motion]), size=SIZE_PIXELS) for _ in range(REFERENCES)]
    return adapt_motion(pack, encode_reference_videos(pack, clips), image=picture)


def shape_of(frame: torch.Tensor) -> tuple[float, float, float]:
    """Of what is brighter than the background: centre x, y in frame widths (y up), and covered share of the frame."""
    bright = (frame.amax(-1) > 0.45).float()
    axis = (torch.arange(len(frame)) + 0.5) / len(frame) - 0.5
    area = bright.sum().clamp(min=1)
    return float((bright.sum(0) * axis).sum() / area), float(-(bright.sum(1) * axis).sum() / area), float(bright.mean())


def change(pack: MotionPack, model: VideoModel, picture: np.ndarray, motion: str) -> np.ndarray:
    """How the sprite's place (x, y) and area ratio differ between first and last frame."""
    settings = replace(pack.config.generation, seed=1, steps=STEPS)
    frames = generate_video(model, image=picture, motion=adapted(pack, picture, motion), settings=settings).frames
    (x0, y0, area0), (x1, y1, area1) = shape_of(frames[0]), shape_of(frames[-1])
    return np.array([x1 - x0, y1 - y0, area1 / area0])


def test_references_decide_where_the_picture_goes(pack: MotionPack, model: VideoModel, picture: np.ndarray) -> None:
    left, right = (change(pack, model, picture, motion) for motion in ("left", "right"))
    assert left[0] < -0.08
    assert right[0] > 0.08
    up, down = (change(pack, model, picture, motion) for motion in ("up", "down"))
    assert up[1] > 0.08
    assert down[1] < -0.08


def test_references_decide_how_large_it_gets(pack: MotionPack, model: VideoModel, picture: np.ndarray) -> None:
    grow, shrink = (change(pack, model, picture, motion) for motion in ("grow", "shrink"))
    assert grow[2] > 1.4
    assert shrink[2] < 0.75


def test_first_frame_is_the_picture(pack: MotionPack, model: VideoModel, picture: np.ndarray) -> None:
    settings = replace(pack.config.generation, seed=1, steps=STEPS)
    frames = generate_video(model, image=picture, motion=adapted(pack, picture, "up"), settings=settings).frames
    squared = ((frames[0].numpy() - picture / 255) ** 2).mean()
    assert 10 * np.log10(1 / squared) > 17


def test_prompts_find_clips_of_their_motion(pack: MotionPack) -> None:
    encoder = PackClipEncoder(pack)
    captions = {
        "left": "the red ring glides from right to left",
        "right": "the red ring glides from left to right",
        "up": "a blue heart floats upwards",
        "grow": "green cross that expands",
        "bounce": "a cyan circle hops up and down",
    }
    prompts = {
        "left": "a white star slides left",
        "right": "a white star slides right",
        "up": "a white star rises",
        "grow": "a white star gets bigger",
        "bounce": "a white star bounces",
    }
    similarity = encoder.encode_text(list(prompts.values())) @ encoder.encode_text(list(captions.values())).T
    assert similarity.argmax(1).tolist() == list(range(len(prompts)))
