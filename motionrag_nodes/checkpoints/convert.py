"""Published checkpoints -> a motion pack, through an explicit key table; nothing is guessed from key names."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from motionrag_nodes.backbones.published import (
    ADAPTER,
    BASE_ATTENTION,
    BASE_WEIGHTS,
    CONTEXT_TRANSFORMER,
    MOTION_ADAPTER,
    MOTION_PROJ,
    MOTION_RESAMPLER,
    MOTION_TRANSFORMER,
    KeyRule,
    Shapes,
)
from motionrag_nodes.checkpoints.pack import build_modules, write_pack
from motionrag_nodes.checkpoints.pack_config import PackConfig
from motionrag_nodes.checkpoints.published import key_table, published_backbones, published_config, published_facts
from motionrag_nodes.checkpoints.unpickle import read_checkpoint
from motionrag_nodes.errors import CheckpointInvalid

logger = logging.getLogger(__name__)

State = Mapping[str, torch.Tensor]

# Copies of frozen weights may have been saved in bfloat16: 8 bits of mantissa.
COPY_TOLERANCE = 2**-7
# The command line's option for `base_weights`, for messages.
OPTION = "--frames-17"


@dataclass(frozen=True)
class Conversion:
    """What was made: the pack's folder and configuration, and how many tensors came from each file."""

    folder: Path
    config: PackConfig
    tensors: Mapping[str, int]


def convert_checkpoints(
    backbone: str,
    *,
    motion_proj: Path,
    motion_transformer: Path,
    adapter: Path,
    output: Path,
    base_weights: Path | None = None,
    name: str | None = None,
    config: PackConfig | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Convert the published .ckpt files of one backbone into a pack at `output`.

    `base_weights` is the file of weights that replace some of the base's, where the backbone has one. `config` replaces
    the published sizes, for other trainings of the method. Weights keep their precision.

    Raises:
        CheckpointInvalid: files are missing or damaged, or keys or shapes differ; every one of all files is listed.
        CheckpointRefused: a file wants to run code on loading.
        PackInvalid: the output exists.
    """
    if backbone not in published_backbones():
        raise CheckpointInvalid(
            f"Expected a backbone of {', '.join(published_backbones())}, received {backbone!r}: choose one."
        )
    paths = {MOTION_PROJ: motion_proj, MOTION_TRANSFORMER: motion_transformer, ADAPTER: adapter}
    file = published_facts(backbone).base_weights_file
    if file is None and base_weights is not None:
        raise CheckpointInvalid(
            f"Expected no file of the base's weights for {backbone}, received {base_weights}: leave {OPTION} out."
        )
    if file is not None and base_weights is None:
        raise CheckpointInvalid(f"Expected {file} as well for {backbone}, received none: give it with {OPTION}.")
    if base_weights is not None:
        paths[BASE_WEIGHTS] = base_weights
    config = config or published_config(backbone, name=name or output.name)
    files = {role: read_checkpoint(Path(path)) for role, path in paths.items()}
    parts = _sort_keys(key_table(backbone), files, paths, part_shapes(config))
    config = write_pack(
        output,
        config=config,
        motion_resampler_state=parts[MOTION_RESAMPLER],
        context_transformer_state=parts[CONTEXT_TRANSFORMER],
        adapter_state=parts[MOTION_ADAPTER],
        base_attention_state=parts.get(BASE_ATTENTION),
        dtype=None,
        overwrite=overwrite,
    )
    return Conversion(folder=output, config=config, tensors={role: len(state) for role, state in files.items()})


def part_shapes(config: PackConfig) -> dict[str, Shapes]:
    """Every key of every part of a pack, with its shape, at the sizes of `config`."""
    with torch.device("meta"):
        modules = build_modules(config)
    names = (MOTION_RESAMPLER, CONTEXT_TRANSFORMER, MOTION_ADAPTER)
    shapes: dict[str, Shapes] = {
        name: {key: tuple(value.shape) for key, value in module.state_dict().items()}
        for name, module in zip(names, modules, strict=True)
    }
    base_weights_shapes = published_facts(config.backbone).base_weights_shapes
    if base_weights_shapes is not None:
        shapes[BASE_ATTENTION] = base_weights_shapes(config.adapter.sites)
    return shapes


def _sort_keys(
    table: tuple[KeyRule, ...], files: Mapping[str, State], paths: Mapping[str, Path], shapes: Mapping[str, Shapes]
) -> dict[str, dict[str, torch.Tensor]]:
    """Tensors by part and key of the pack.

    Raises:
        CheckpointInvalid: every missing, unexpected and misshapen key of all files.
    """
    parts: dict[str, dict[str, torch.Tensor]] = {}
    problems: list[str] = []
    copies: list[tuple[KeyRule, dict[str, str]]] = []
    for role, state in files.items():
        expected: dict[str, tuple[int, ...]] = {}
        for rule in (rule for rule in table if rule.file == role):
            keys = _keys_of(rule, shapes[rule.part])
            if rule.copy:
                if not any(key.startswith(rule.file_prefix) for key in state):
                    continue
                copies.append((rule, keys))
            else:
                part = parts.setdefault(rule.part, {})
                part.update({ours: state[theirs] for theirs, ours in keys.items() if theirs in state})
            expected |= {theirs: shapes[rule.part][ours] for theirs, ours in keys.items()}
        problems += [f"{paths[role].name}: {problem}" for problem in _differences(expected, state)]
    if not problems:
        problems = [problem for rule, keys in copies for problem in _disagreements(rule, keys, files, parts, paths)]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise CheckpointInvalid(
            f"Expected the published checkpoints of this backbone, found {len(problems)} differences; check that each "
            f"file was given to its own option and that all come from one folder:\n{listed}"
        )
    return parts


def _keys_of(rule: KeyRule, shapes: Shapes) -> dict[str, str]:
    """Key in the file -> key in the part."""
    return {rule.file_prefix + key[len(rule.part_prefix) :]: key for key in shapes if key.startswith(rule.part_prefix)}


def _differences(expected: Shapes, state: State) -> list[str]:
    problems = [f"missing {key} {list(shape)}" for key, shape in expected.items() if key not in state]
    problems += [f"unexpected {key} {list(value.shape)}" for key, value in state.items() if key not in expected]
    problems += [
        f"{key} expected {list(expected[key])}, received {list(value.shape)}"
        for key, value in state.items()
        if key in expected and tuple(value.shape) != expected[key]
    ]
    return problems


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
                f"{paths[rule.file].name}: {theirs} differs from {ours} in {paths[MOTION_PROJ].name}, by up to "
                f"{(copy - original).abs().max():.3g}"
            ]
    logger.info(
        "%s repeats %s of %s: the same weights", paths[rule.file].name, rule.file_prefix, paths[MOTION_PROJ].name
    )
    return []
