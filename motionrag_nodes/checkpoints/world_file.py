"""The world that a pack learned, in a file of its own beside its weights: optional, and held to their fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from index_builder.errors import InvalidSetting
from index_builder.features.world import WorldStatistic
from index_builder.whole_file import whole_file
from motionrag_nodes.errors import PackInvalid

if TYPE_CHECKING:
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.checkpoints.pack import MotionPack

WORLD_FILE = "world.safetensors"
LOOKED_AT = 256
# Of a pack's own world one clip in a hundred lies beyond the limit.
TELLING_SHARE = 0.2
_DETAIL = "detail"


@dataclass(frozen=True, kw_only=True)
class World:
    """Statistics of the embeddings of captions and of appearance tokens [L * D]; `detail`: how much of a picture is not
    flat (see index_builder/features/detail.py), at most, in 99 of 100 pictures; None in older files.
    """

    text: WorldStatistic
    appearance: WorldStatistic
    detail: float | None = None


def write_world(pack: MotionPack, world: World) -> Path:
    """Writes the file beside the pack's weights, which stay as they are."""
    tensors = {
        f"{name}.{part}": values
        for name in ("text", "appearance")
        for part, values in getattr(world, name).tensors().items()
    }
    if world.detail is not None:
        tensors[_DETAIL] = np.array([world.detail], dtype=np.float32)
    path = pack.folder / WORLD_FILE
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata=_fingerprints(pack))
        temporary.chmod(0o644)
    return path


def read_world(pack: MotionPack) -> World | None:
    """The pack's world; None where it has no such file, or one of other encoders. Raises PackInvalid."""
    path = pack.folder / WORLD_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy", backend="pread") as file:
            if dict(file.metadata() or {}) != _fingerprints(pack):
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        detail = tensors.pop(_DETAIL, None)
        parts = {
            name: {key.partition(".")[2]: value for key, value in tensors.items() if key.startswith(f"{name}.")}
            for name in ("text", "appearance")
        }
        statistics = {name: WorldStatistic.of_tensors(part) for name, part in parts.items()}
        return World(**statistics, detail=None if detail is None else float(detail[0]))
    except (SafetensorError, InvalidSetting, OSError) as error:
        raise PackInvalid(
            f"Expected the statistic of a pack's world in {path}, found another file ({error}): remove it, or measure "
            "it again with python -m training.world_statistic."
        ) from error


def _fingerprints(pack: MotionPack) -> dict[str, str]:
    encoders = pack.config.encoders
    captions = encoders.get("captions") or encoders["retrieval"]
    return {"text": captions.fingerprint, "tokens": pack.tokens_fingerprint}


def unlike_clips(world: World, database: MotionDatabase, *, fingerprint: str) -> tuple[int, int]:
    """How many clips of a database lie outside a pack's world, and how many were looked at (at most LOOKED_AT, evenly
    spaced). `fingerprint` names the pack's tokens; a database that stores others is not looked at."""
    if fingerprint not in database.tokens_fingerprints or not len(database):
        return 0, 0
    ids = database.ids()
    chosen = [ids[place] for place in np.unique(np.linspace(0, len(ids) - 1, min(LOOKED_AT, len(ids))).astype(int))]
    tokens = database.tokens(chosen, fingerprint=fingerprint).appearance_tokens
    distances = world.appearance.distances(tokens.reshape(len(chosen), -1))
    return int((distances > 1).sum()), len(chosen)


def told_of_clips(pack: MotionPack, database: MotionDatabase) -> str | None:
    """A sentence when a database's clips are unlike the pack's world; None when they are not, or nobody knows."""
    world = read_world(pack)
    if world is None:
        return None
    unlike, seen = unlike_clips(world, database, fingerprint=pack.tokens_fingerprint)
    if not seen or unlike < TELLING_SHARE * seen:
        return None
    return (
        f"{unlike} of {seen} clips looked at are unlike the world that pack {pack.name} was trained on: what it says "
        "of their motion, and finds among them, means little; use a pack that was trained on clips of this kind"
    )


def told_of_prompts(pack: MotionPack, embeddings: np.ndarray, prompts: Sequence[str]) -> list[str]:
    """A sentence for each prompt that is unlike the captions that the pack was trained on; embeddings [N, E] are its
    encoder's."""
    world = read_world(pack)
    if world is None:
        return []
    return [
        f'the prompt "{prompt[:60]}" is unlike the captions that pack {pack.name} was trained on ({distance:.1f} times '
        "as far as 99 in 100 of these): what it finds means little; a pack with a sentence encoder finds by meaning"
        for prompt, distance in zip(prompts, world.text.distances(embeddings), strict=True)
        if distance > 1
    ]
