"""Captions in plain English, with synonyms, for a clip of the demo world."""

from __future__ import annotations

import numpy as np

MOTION_PHRASES: dict[str, tuple[str, ...]] = {
    "left": (
        "moves to the left",
        "slides left",
        "drifts leftwards",
        "glides from right to left",
        "travels to the left",
    ),
    "right": (
        "moves to the right",
        "slides right",
        "drifts rightwards",
        "glides from left to right",
        "travels to the right",
    ),
    "up": ("moves up", "rises", "floats upwards", "climbs to the top", "goes up like a balloon"),
    "down": ("moves down", "falls", "sinks downwards", "drops to the bottom", "descends slowly"),
    "grow": ("grows larger", "gets bigger", "expands", "comes closer", "swells up"),
    "shrink": ("shrinks", "gets smaller", "contracts", "moves away into the distance", "becomes tiny"),
    "orbit": (
        "moves in a circle",
        "orbits around",
        "circles round clockwise",
        "runs around a loop",
        "goes round and round",
    ),
    "bounce": ("bounces", "hops up and down", "jumps twice", "bounces like a ball", "leaps and lands again"),
    "zigzag": ("zigzags to the right", "moves along a zigzag", "swerves up and down to the right"),
    "diagonal": ("moves diagonally to the upper left", "flies up and to the left", "climbs leftwards along a slope"),
}

_TEMPLATES = (
    "a {colour} {shape} {motion}",
    "the {colour} {shape} {motion}",
    "a {colour} {shape} on a {background} background {motion}",
    "a {colour} {shape} {motion} in front of a {background} background",
    "{colour} {shape} that {motion}",
)
_STILL_TEMPLATES = ("a {colour} {shape}", "a {colour} {shape} on a {background} background", "the {colour} {shape}")


def write_caption(*, shape: str, colour: str, background: str, motion: str | None, rng: np.random.Generator) -> str:
    """One caption; without a motion it describes the first frame alone."""
    words = {"shape": shape, "colour": colour, "background": background}
    if motion is None:
        caption = str(rng.choice(_STILL_TEMPLATES)).format(**words)
    else:
        caption = str(rng.choice(_TEMPLATES)).format(motion=str(rng.choice(MOTION_PHRASES[motion])), **words)
    return caption.replace("a orange", "an orange")
