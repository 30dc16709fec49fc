"""Atlas: a map of a database's motions. Clips that move alike lie side by side, each a picture that shows its motion.

The motion tokens of the clips are reduced to two principal components; each clip then takes the free place of a grid
that is nearest to its point, so that nothing overlaps. Things that cross a still background are shown as a
chronophotograph; all other footage as one sharp still, with an arrow where its motion goes on the whole.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting, TokensNotStored
from index_builder.report.drawing import BACKGROUND, EMPTY, FAINT, INK, frames_of_strip, spread
from index_builder.report.lettering import Lettering
from index_builder.report.mean_motion import mean_motion
from index_builder.report.telling_words import telling_words

HEAD_PIXELS, FEWEST_PIXELS = 34, 128
# Places a clip: with a fifth of them free, most clips find one close to their point.
PLACES_PER_CLIP = 1.25
REGIONS, FEWEST_PER_SIDE = 3, 6
# Below this many clips there is room for a caption under each.
NAMED_CLIPS, NAME_PIXELS = 40, 18
# A word labels a region when it is on this many of its clips, and tells them apart this well (F-measure).
FEWEST_CLIPS_OF_WORD, TELLING = 3, 0.3
# A chronophotograph is clear where little of a frame moves, and not always in the same place.
MOST_MOVING, MOST_IN_PLACE = 0.2, 0.5


def draw_atlas(database: MotionDatabase, *, side_pixels: int = 1024, max_clips: int = 400) -> Image.Image:
    """RGB picture [side_pixels, side_pixels]: at most `max_clips` clips, evenly spaced in the order of the rows.

    A word over a region is the caption word that best sets its clips apart; few clips have their captions below them.
    Raises InvalidSetting for sizes too small, TokensNotStored when no clip has motion tokens.
    """
    if side_pixels < FEWEST_PIXELS or max_clips < 1:
        raise InvalidSetting(
            f"Expected side_pixels of at least {FEWEST_PIXELS} and max_clips of at least 1, received {side_pixels} and "
            f"{max_clips}: raise them."
        )
    atlas = Image.new("RGB", (side_pixels, side_pixels), BACKGROUND)
    draw = ImageDraw.Draw(atlas)
    ids = database.ids()
    shown = [ids[place] for place in spread(len(ids), max_clips)]
    title = f"{database.path.name}: motions of {len(shown):,} of {len(ids):,} clips" if ids else "no clips"
    letters = Lettering(16)
    letters.draw(draw, (10, 8), letters.fitted(title, side_pixels - 20), INK)
    if not shown:
        return atlas
    rows = database.rows(shown)
    places, per_side = snap_to_grid(map_motions(_motion_tokens(database, shown)))
    field, cell = side_pixels - HEAD_PIXELS - 8, (side_pixels - HEAD_PIXELS - 8) // per_side
    left, top = (side_pixels - cell * per_side) // 2, HEAD_PIXELS + (field - cell * per_side) // 2
    named = len(rows) <= NAMED_CLIPS
    for row, (across, down) in zip(rows, places, strict=True):
        corner = left + int(across) * cell + 1, top + int(down) * cell + 1
        atlas.paste(_thumbnail(row.thumbnail, cell - 2, cell - 2 - (NAME_PIXELS if named else 0)), corner)
        if named and row.caption:
            small = Lettering(11)
            place = corner[0] + 2, corner[1] + cell - 1 - NAME_PIXELS
            small.draw(draw, place, small.fitted(row.caption, cell - 6), FAINT)
    for word, (across, down) in region_words([row.caption or "" for row in rows], places / per_side):
        _label(atlas, word, (left + across * cell * per_side, top + down * cell * per_side), cell)
    return atlas


def _motion_tokens(database: MotionDatabase, ids: Sequence[str]) -> np.ndarray:
    """float32 [k, L * D], of the first encoder that all these clips have tokens of."""
    for fingerprint in database.tokens_fingerprints:
        try:
            tokens = database.tokens(ids, fingerprint=fingerprint).motion_tokens
        except TokensNotStored:
            continue
        return tokens.reshape(len(ids), -1).astype(np.float32)
    raise TokensNotStored(
        f"Expected motion tokens of one encoder for all clips of {database.path.name}, found none: build the database "
        "again with motionrag index build."
    )


def map_motions(features: np.ndarray) -> np.ndarray:
    """float32 [k, F] -> float32 [k, 2]: the two principal components, scaled to spread evenly over [0, 1]."""
    centred = features - features.mean(axis=0)
    # The Gram matrix of k clips is far smaller than the covariance of F features.
    values, vectors = np.linalg.eigh(centred @ centred.T)
    points = vectors[:, -2:][:, ::-1] * np.sqrt(np.maximum(values[-2:][::-1], 0))
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 1)))
    # The sign of an eigenvector is arbitrary; fixing it keeps the map the same on every machine.
    points *= np.where(points[np.abs(points).argmax(axis=0), [0, 1]] < 0, -1, 1)
    low, high = points.min(axis=0), points.max(axis=0)
    even = points.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / max(1, len(points) - 1)
    # Half by value, half by rank: outliers would squeeze all others into one corner.
    spread: np.ndarray = ((points - low) / np.maximum(high - low, 1e-9) + even) / 2
    return spread


def snap_to_grid(points: np.ndarray) -> tuple[np.ndarray, int]:
    """points [k, 2] in [0, 1] -> (their own places int [k, 2] on a square grid, places per side).

    Points take the nearest free place, those in the middle first, so that the map grows outwards.
    """
    count = len(points)
    per_side = max(FEWEST_PER_SIDE, int(np.ceil(np.sqrt(count * PLACES_PER_CLIP))))
    grid = np.stack(np.meshgrid(np.arange(per_side), np.arange(per_side), indexing="ij"), axis=-1).reshape(-1, 2)
    wanted = points * (per_side - 1)
    free = np.ones(len(grid), dtype=bool)
    places = np.empty((count, 2), dtype=np.int64)
    for number in np.argsort(((points - 0.5) ** 2).sum(axis=1), kind="stable"):
        distance = np.where(free, ((grid - wanted[number]) ** 2).sum(axis=1), np.inf)
        taken = int(distance.argmin())
        free[taken], places[number] = False, grid[taken]
    return places, per_side


def region_words(captions: Sequence[str], points: np.ndarray) -> list[tuple[str, tuple[float, float]]]:
    """For each of 3 x 3 regions the word that tells its clips best from all others, with the mean point of those that
    have it.

    points [k, 2] in [0, 1). The measure is the F-measure of "has the word" for "lies in the region". A word stands
    once, where it fits best; regions without a telling word have none.
    """
    words = [telling_words(caption) for caption in captions]
    overall = Counter(word for of_clip in words for word in of_clip)
    region = np.minimum((points * REGIONS).astype(int), REGIONS - 1) @ (1, REGIONS)
    candidates = []
    for number in range(REGIONS**2):
        members = np.flatnonzero(region == number)
        inside = Counter(word for member in members for word in words[member])
        for word, count in inside.items():
            measure = 2 * count / (len(members) + overall[word])
            if count >= FEWEST_CLIPS_OF_WORD and measure >= TELLING:
                candidates.append((measure, word, number))
    labels: dict[int, str] = {}
    for _, word, number in sorted(candidates, reverse=True):
        if number not in labels and word not in labels.values():
            labels[number] = word
    placed = []
    for number, word in sorted(labels.items()):
        own = [member for member in np.flatnonzero(region == number) if word in words[member]]
        across, down = points[own].mean(axis=0)
        placed.append((word, (float(across), float(down))))
    return placed


def _thumbnail(strip: bytes, width: int, height: int) -> Image.Image:
    """A clip in a field of this size, never larger than it is stored: enlarged, it would only be less sharp."""
    field = Image.new("RGB", (max(1, width), max(1, height)), BACKGROUND)
    frames = frames_of_strip(strip)
    if not frames:
        field.paste(EMPTY, (0, 0, *field.size))
        return field
    size = frames[0].size
    scale = min(field.width / size[0], field.height / size[1], 1.0)
    shown = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    small = np.stack([np.asarray(frame.resize(shown, Image.Resampling.LANCZOS)) for frame in frames])
    if crosses_a_still_background(small):
        picture = Image.fromarray(chronophotograph(small))
    else:
        picture = Image.fromarray(small[len(small) // 2])
        _draw_arrow(picture, mean_motion(frames))
    field.paste(picture, ((field.width - shown[0]) // 2, (field.height - shown[1]) // 2))
    return field


def crosses_a_still_background(frames: np.ndarray) -> bool:
    """uint8 RGB [T, H, W, 3]: whether something small goes its way before a background that stays as it is."""
    values = frames.astype(np.float32)
    moving = np.abs(values - np.median(values, axis=0)).max(axis=-1) > 24
    share = moving.mean(axis=(1, 2))
    if not share.any() or share.max() > MOST_MOVING:
        return False
    # How much of what ever moves does so in most frames: a talking head stays, a ball goes on.
    often = moving.sum(axis=0)
    return float((often > len(frames) / 3).sum()) < MOST_IN_PLACE * float((often > 0).sum()) / 2


def _draw_arrow(picture: Image.Image, motion: tuple[float, float]) -> None:
    """From the middle, as long as the motion is, but within the picture; a ring where there is next to none."""
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    across, down = motion[0] * width, motion[1] * height
    length, middle = math.hypot(across, down), (width / 2, height / 2)
    line = max(2, min(width, height) // 28)
    if length < 0.04 * min(width, height):
        radius = max(3, min(width, height) // 16)
        for grown, colour in ((1, BACKGROUND), (0, INK)):
            box = [edge + sign * (radius + grown) for sign in (-1, 1) for edge in middle]
            draw.ellipse(box, outline=colour, width=line + grown)
        return
    reach = min(max(length, 0.2 * min(width, height)), 0.42 * min(width, height)) / length
    tip = middle[0] + across * reach, middle[1] + down * reach
    tail = middle[0] - across * reach, middle[1] - down * reach
    angle, head = math.atan2(down, across), max(6, min(width, height) // 8)
    wings = [(tip[0] - head * math.cos(angle + turn), tip[1] - head * math.sin(angle + turn)) for turn in (-0.5, 0.5)]
    for extra, colour in ((2, BACKGROUND), (0, INK)):
        draw.line([tail, tip], fill=colour, width=line + extra)
        draw.line([wings[0], tip, wings[1]], fill=colour, width=line + extra, joint="curve")


def chronophotograph(frames: np.ndarray) -> np.ndarray:
    """uint8 RGB [T, H, W, 3] -> uint8 RGB [H, W, 3]: the median picture, and over it what differs from it in each
    frame, later frames more opaque."""
    values = frames.astype(np.float32)
    background = np.median(values, axis=0)
    picture = background.copy()
    for place, frame in enumerate(values):
        difference = np.abs(frame - background).max(axis=-1, keepdims=True)
        opacity = np.clip((difference - 16) / 48, 0, 1) * (0.25 + 0.75 * (place + 1) / len(values))
        picture += opacity * (frame - picture)
    return picture.round().astype(np.uint8)


def _label(atlas: Image.Image, word: str, centre: tuple[float, float], cell: int) -> None:
    """The word on a dark plate, inside the picture."""
    draw = ImageDraw.Draw(atlas, "RGBA")
    size = max(14, min(22, cell // 2))
    letters = Lettering(size)
    width, height = letters.length(word) + 14, round(1.4 * size) + 4
    x = min(max(4, centre[0] - width / 2), atlas.width - width - 4)
    y = min(max(HEAD_PIXELS, centre[1] - height / 2), atlas.height - height - 4)
    draw.rounded_rectangle((x, y, x + width, y + height), radius=6, fill=(*BACKGROUND, 215), outline=(*FAINT, 255))
    letters.draw(draw, (x + 7, y + (height - 1.3 * size) / 2), word, (*INK, 255))
