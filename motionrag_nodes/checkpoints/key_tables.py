"""Keys of published files -> keys of a pack's parts, with every difference named and swapped files recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from index_builder.plain_text import plain_logger
from motionrag_nodes.backbones.published import (
    ADAPTER,
    BASE_WEIGHTS,
    MOTION_PROJ,
    MOTION_TRANSFORMER,
    KeyRule,
    Shapes,
)
from motionrag_nodes.errors import CheckpointInvalid
from motionrag_nodes.state_check import shape_problems

logger = plain_logger(__name__)

State = Mapping[str, torch.Tensor]

# Copies of frozen weights may have been saved in bfloat16: 8 bits of mantissa.
COPY_TOLERANCE = 2**-7
# The command line's options for each file, for messages.
OPTIONS = {
    MOTION_PROJ: "--motion-proj",
    MOTION_TRANSFORMER: "--motion-transformer",
    ADAPTER: "--adapter",
    BASE_WEIGHTS: "--frames-17",
}
# Below this share of its keys a file is of no published kind.
LIKENESS = 0.5
START_SEED = 42


@dataclass(frozen=True)
class FileKind:
    """A published file by its backbone and role: the shapes of its keys, and the copies of others that it may hold."""

    backbone: str
    role: str
    shapes: Shapes
    copies: Shapes

    @classmethod
    def of(cls, backbone: str, role: str, table: Sequence[KeyRule], parts: Mapping[str, Shapes]) -> FileKind:
        """What `table` says of the file; `parts` are the shapes of the pack's parts."""
        kinds: tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]] = {}, {}
        for rule in (rule for rule in table if rule.file == role):
            shapes = parts[rule.part]
            kinds[rule.copy].update({theirs: shapes[ours] for theirs, ours in keys_of(rule, shapes).items()})
        return cls(backbone, role, shapes=kinds[False], copies=kinds[True])

    def likeness(self, state: State) -> float:
        """In [0, 1]: the share of all keys, its own and the file's, that both have in the same shape."""
        shared = sum(tuple(state[key].shape) == shape for key, shape in self.shapes.items() if key in state)
        return shared / max(1, len(self.shapes.keys() | (state.keys() - self.copies.keys())))


def keys_of(rule: KeyRule, shapes: Shapes) -> dict[str, str]:
    """Key in the file -> key in the part."""
    return {_in_file(rule, key): key for key in shapes if key.startswith(rule.part_prefix)}


def sort_keys(
    table: Sequence[KeyRule],
    files: Mapping[str, State],
    paths: Mapping[str, Path],
    shapes: Mapping[str, Shapes],
    *,
    kinds: Callable[[], Sequence[FileKind]] = tuple,
) -> dict[str, dict[str, torch.Tensor]]:
    """Tensors by part and key of the pack. `kinds` makes a list of what else one of `files` may be; it is asked for
    where they do not fit.

    Raises CheckpointInvalid: says which file was probably given for which, then every missing, unexpected and misshapen
    key of all files.
    """
    parts: dict[str, dict[str, torch.Tensor]] = {}
    problems: dict[str, list[str]] = {}
    copies: list[tuple[KeyRule, dict[str, str]]] = []
    for role, state in files.items():
        expected: dict[str, tuple[int, ...]] = {}
        for rule in (rule for rule in table if rule.file == role):
            keys = keys_of(rule, shapes[rule.part])
            if rule.copy:
                if not any(key.startswith(rule.file_prefix) for key in state):
                    continue
                copies.append((rule, keys))
            else:
                part = parts.setdefault(rule.part, {})
                part.update({ours: state[theirs] for theirs, ours in keys.items() if theirs in state})
                keys = _without_drawn(rule, keys, part, shapes[rule.part], paths[role])
            expected |= {theirs: shapes[rule.part][ours] for theirs, ours in keys.items()}
        found = shape_problems(expected, state)
        if found:
            problems[role] = found
    if not problems:
        for rule, keys in copies:
            problems[rule.file] = _disagreements(rule, keys, files, parts, paths)
    count = sum(map(len, problems.values()))
    if count:
        known = kinds()
        given = {role: FileKind.of("this backbone", role, table, shapes) for role in problems}
        guesses = [guess for role in problems if (guess := _guess(given[role], files[role], paths[role], known))]
        listed = [f"  - {paths[role].name}: {problem}" for role, found in problems.items() for problem in found]
        advice = guesses or ["check that each file was given to its own option and that all come from one folder"]
        raise CheckpointInvalid(
            f"Expected the published checkpoints of this backbone, found {count} differences; {'; '.join(advice)}:\n"
            + "\n".join(listed)
        )
    return parts


def _in_file(rule: KeyRule, key: str) -> str:
    renamed = rule.file_prefix + key[len(rule.part_prefix) :]
    for ours, theirs in rule.endings.items():
        if renamed.endswith(ours):
            return renamed.removesuffix(ours) + theirs
    return renamed


def _without_drawn(
    rule: KeyRule, keys: Mapping[str, str], part: dict[str, torch.Tensor], shapes: Shapes, path: Path
) -> dict[str, str]:
    """Puts start values into `part` for what a file may lack; returns the keys that it must have."""
    absent = {theirs: ours for theirs, ours in keys.items() if ours not in part and ours.endswith(rule.drawn)}
    if absent:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(START_SEED)
            for ours in absent.values():
                outputs, inputs = shapes[ours]
                part[ours] = nn.Linear(inputs, outputs, bias=False).weight.detach().bfloat16()
        logger.warning(
            "%s holds none of %d layers that were never trained (%s, ...): they get start values of their kind; those "
            "that the authors ran with were not saved, so videos differ a little from theirs.",
            path.name,
            len(absent),
            next(iter(absent)),
        )
    return {theirs: ours for theirs, ours in keys.items() if theirs not in absent}


def _guess(given: FileKind, state: State, path: Path, kinds: Sequence[FileKind]) -> str | None:
    """What a file that does not fit probably is; None where it is most like what it was given for."""
    best = max(kinds, key=lambda kind: kind.likeness(state), default=given)
    if best.likeness(state) < LIKENESS or best.likeness(state) <= given.likeness(state):
        return None
    found = f"{path.name}, given with {OPTIONS[given.role]}, is probably the {best.role} of {best.backbone}"
    return found if best.role == given.role else f"{found}, which goes with {OPTIONS[best.role]}"


def _disagreements(
    rule: KeyRule,
    keys: Mapping[str, str],
    files: Mapping[str, State],
    parts: Mapping[str, State],
    paths: Mapping[str, Path],
) -> list[str]:
    """Weights that two files hold must be the same: else the files come from different trainings."""
    for theirs, ours in keys.items():
        copy, original = files[rule.file][theirs].float(), parts[rule.part][ours].float()
        if not torch.allclose(copy, original, rtol=COPY_TOLERANCE, atol=1e-4):
            return [
                f"{theirs} differs from {ours} in {paths[MOTION_PROJ].name}, by up to "
                f"{(copy - original).abs().max():.3g}"
            ]
    logger.info(
        "%s repeats %s of %s: the same weights", paths[rule.file].name, rule.file_prefix, paths[MOTION_PROJ].name
    )
    return []
