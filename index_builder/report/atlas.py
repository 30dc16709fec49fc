"""Atlas: a map of a database's motions. Clips that move alike lie side by side, each a picture that shows its motion.

The motion tokens of the clips are reduced to two principal components; each clip then takes the free place of a grid
that is nearest to its point, so that nothing overlaps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting, TokensNotStored
from index_builder.report.drawing import BACKGROUND, EMPTY, FAINT, INK, frames_of_strip, spread
from index_builder.report.lettering import Lettering

HEAD_PIXELS, FEWEST_PIXELS = 34, 128
# Places a clip: with a fifth of them free, most clips find one close to their point.
PLACES_PER_CLIP = 1.25
REGIONS = 3
# A word labels a region when it is on this many of its clips, and tells them apart this well (F-measure).
FEWEST_CLIPS_OF_WORD, TELLING = 3, 0.3
WORD = re.compile(r"[^\W\d_]{3,}")


def draw_atlas(database: MotionDatabase, *, side_pixels: int = 1024, max_clips: int = 400) -> Image.Image:
    """RGB picture [side_pixels, side_pixels]: at most `max_clips` clips, evenly spaced in the order of the rows.

    Each clip is shown as a chronophotograph: its background, and what moved over it, faint where it was and clear
    where it went. A word over a region is the caption word that best sets its clips apart.
    Raises InvalidSetting for sizes too small, TokensNotStored when no clip has motion tokens.
    """
    if side_pixels < FEWEST_PIXELS or max_clips < 1:
        raise InvalidSetting(
            f"expected side_pixels of at least {FEWEST_PIXELS} and max_clips of at least 1, received {side_pixels} and "
            f"{max_clips}: raise them"
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
    for row, (across, down) in zip(rows, places, strict=True):
        atlas.paste(_thumbnail(row.thumbnail, cell - 2), (left + int(across) * cell + 1, top + int(down) * cell + 1))
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
        f"expected motion tokens of one encoder for all clips of {database.path.name}, found none: build the database "
        "anew with motionrag index build"
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
    return ((points - low) / np.maximum(high - low, 1e-9) + even) / 2


def snap_to_grid(points: np.ndarray) -> tuple[np.ndarray, int]:
    """points [k, 2] in [0, 1] -> (their own places int [k, 2] on a square grid, places per side).

    Points take the nearest free place, those in the middle first, so that the map grows outwards.
    """
    count = len(points)
    per_side = int(np.ceil(np.sqrt(count * PLACES_PER_CLIP)))
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
    words = [set(WORD.findall(caption.lower())) for caption in captions]
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


def _thumbnail(strip: bytes, side: int) -> Image.Image:
    frames = frames_of_strip(strip)
    if not frames:
        return Image.new("RGB", (side, side), EMPTY)
    square = [_centre(frame).resize((side, side), Image.Resampling.LANCZOS) for frame in frames]
    return Image.fromarray(chronophotograph(np.stack([np.asarray(frame) for frame in square])))


def _centre(frame: Image.Image) -> Image.Image:
    side = min(frame.size)
    left, top = (frame.width - side) // 2, (frame.height - side) // 2
    return frame.crop((left, top, left + side, top + side))


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
