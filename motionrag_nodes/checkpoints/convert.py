"""Published checkpoints -> a motion pack, through an explicit key table; nothing is guessed from key names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.backbones.published import (
    ADAPTER,
    BASE_ATTENTION,
    BASE_WEIGHTS,
    CONTEXT_TRANSFORMER,
    MOTION_ADAPTER,
    MOTION_PROJ,
    MOTION_RESAMPLER,
    MOTION_TRANSFORMER,
    Shapes,
)
from motionrag_nodes.checkpoints.key_tables import OPTIONS, FileKind, sort_keys
from motionrag_nodes.checkpoints.pack import build_modules, write_pack
from motionrag_nodes.checkpoints.pack_config import PackConfig
from motionrag_nodes.checkpoints.published import key_table, published_backbones, published_config, published_facts
from motionrag_nodes.checkpoints.start_token import derive_start_token
from motionrag_nodes.checkpoints.unpickle import read_checkpoint
from motionrag_nodes.errors import CheckpointInvalid

START_TOKEN = "sos_token"


@dataclass(frozen=True)
class Conversion:
    """What was made: the pack's folder and configuration, how many tensors came from each file, and whether the start
    token had to be derived, since the authors' saver leaves it out."""

    folder: Path
    config: PackConfig
    tensors: Mapping[str, int]
    derived_start_token: bool


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
    folders: Mapping[str, Path] | None = None,
    base_checkpoint: Path | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Convert the published .ckpt files of one backbone into a pack at `output`.

    `base_weights` is the file of weights that replace some of the base's, where the backbone has one. `config` replaces
    the published sizes, for other trainings of the method. `folders` copies folders into the pack, as `write_pack`
    does; `base_checkpoint` is converted into one, where the base model was published as a checkpoint. Weights keep
    their precision; a file without the start token gets the one that it was trained with.

    Raises CheckpointInvalid: files are missing or damaged, or keys or shapes differ; every one of all files is listed.
    CheckpointRefused: a file wants to run code on loading. PackInvalid: the output exists.
    """
    if backbone not in published_backbones():
        raise CheckpointInvalid(
            f"Expected a backbone of {', '.join(published_backbones())}, received {backbone!r}: choose one."
        )
    paths = {MOTION_PROJ: motion_proj, MOTION_TRANSFORMER: motion_transformer, ADAPTER: adapter}
    file = published_facts(backbone).base_weights_file
    if file is None and base_weights is not None:
        raise CheckpointInvalid(
            f"Expected no file of the base's weights for {backbone}, received {base_weights}: leave "
            f"{OPTIONS[BASE_WEIGHTS]} out."
        )
    if file is not None and base_weights is None:
        raise CheckpointInvalid(
            f"Expected {file} as well for {backbone}, received none: give it with {OPTIONS[BASE_WEIGHTS]}."
        )
    if base_weights is not None:
        paths[BASE_WEIGHTS] = base_weights
    config = config or published_config(backbone, name=name or output.name)
    with _base_folder(backbone, base_checkpoint, output) as base:
        if base is not None:
            config = replace(config, base=base.name, base_revision=None)
            folders = {**(folders or {}), base.name: base}
        return _convert(backbone, paths, output, config=config, folders=folders, overwrite=overwrite)


@contextmanager
def _base_folder(backbone: str, checkpoint: Path | None, output: Path) -> Iterator[Path | None]:
    """The base model's checkpoint as a folder, beside the output for as long as the block lasts; None without one."""
    convert_base = get_backbone(backbone).convert_base
    if checkpoint is None:
        yield None
        return
    if convert_base is None:
        raise CheckpointInvalid(
            f"Expected no checkpoint of the base model for {backbone}, which needs none, received {checkpoint}: leave "
            "--base-checkpoint out."
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.base-") as draft:
        convert_base(read_checkpoint(checkpoint), Path(draft) / "base")
        yield Path(draft) / "base"


def _convert(
    backbone: str,
    paths: Mapping[str, Path],
    output: Path,
    *,
    config: PackConfig,
    folders: Mapping[str, Path] | None,
    overwrite: bool,
) -> Conversion:
    """The files at `paths`, by role, become a pack."""
    files = {role: read_checkpoint(Path(path)) for role, path in paths.items()}
    tensors = {role: len(state) for role, state in files.items()}
    derived = START_TOKEN not in files[MOTION_TRANSFORMER]
    if derived:
        token = derive_start_token(
            config.context_transformer, appearance=config.appearance_resampler, motion=config.motion_resampler
        )
        files[MOTION_TRANSFORMER] = {**files[MOTION_TRANSFORMER], START_TOKEN: token}
    shapes = part_shapes(config)
    parts = sort_keys(key_table(backbone), files, paths, shapes, kinds=lambda: _kinds(backbone, shapes))
    config = write_pack(
        output,
        config=config,
        motion_resampler_state=parts[MOTION_RESAMPLER],
        context_transformer_state=parts[CONTEXT_TRANSFORMER],
        adapter_state=parts[MOTION_ADAPTER],
        base_attention_state=parts.get(BASE_ATTENTION),
        folders=folders,
        dtype=None,
        overwrite=overwrite,
    )
    return Conversion(folder=output, config=config, tensors=tensors, derived_start_token=derived)


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


def _kinds(backbone: str, shapes: Mapping[str, Shapes]) -> list[FileKind]:
    """Every published file, those of `backbone` at the sizes of `shapes`: what a swapped file may be."""
    kinds = []
    for name in published_backbones():
        parts = shapes if name == backbone else part_shapes(published_config(name, name=name))
        table = key_table(name)
        kinds += [FileKind.of(name, role, table, parts) for role in dict.fromkeys(rule.file for rule in table)]
    return kinds
