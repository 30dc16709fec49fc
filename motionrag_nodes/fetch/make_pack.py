"""The last step of a fetch: the files in the hub cache become a motion pack."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.sentence_encoder import carried_by_package
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.backbones.published import ADAPTER, BASE_WEIGHTS, MOTION_PROJ, MOTION_TRANSFORMER, Published
from motionrag_nodes.checkpoints.convert import Conversion, convert_checkpoints
from motionrag_nodes.checkpoints.pack_config import PackConfig
from motionrag_nodes.checkpoints.published import (
    ENCODER_SOURCES,
    PICKLED_WEIGHTS,
    encoder_spec,
    published_config,
    published_facts,
)
from motionrag_nodes.checkpoints.unpickle import read_checkpoint
from motionrag_nodes.fetch.hub import Hub
from motionrag_nodes.fetch.plan import FetchPlan

CONVERTED = "encoders"


def sources_of(backbone: str) -> tuple[HubSource, ...]:
    """Every repository that a backbone needs: the method's weights first, the base model last.

    The encoder of captions is left out where a package carries it. Raises BackboneUnknown, CheckpointInvalid when
    nothing was published for the backbone.
    """
    published = published_facts(backbone)
    encoders = [
        source for role, source in ENCODER_SOURCES.items() if carried_by_package(encoder_spec(role, published)) is None
    ]
    return (published.weights, *encoders, published.base)


def make_pack(
    backbone: str, plan: FetchPlan, hub: Hub, output: Path, *, config: PackConfig | None = None, overwrite: bool = False
) -> Conversion:
    """Convert what a plan has brought into a pack at `output`, which records the commits that it was made of.

    An encoder that the hub holds as a pickle is stored inside the pack, its weights as safetensors, and so is a base
    model; the others stay in the hub cache. `config` replaces the published sizes. Raises as `convert_checkpoints`.
    """
    published = published_facts(backbone)
    config = _pinned(config or published_config(backbone, name=output.name), published, plan)
    weights = hub.snapshot(published.weights.repo, plan.commit_of(published.weights.repo))
    files: dict[str, Any] = {
        role: weights / name
        for role in (MOTION_PROJ, MOTION_TRANSFORMER, ADAPTER, BASE_WEIGHTS)
        if (name := published.file_of(role)) is not None
    }
    with converted_encoders(config, hub, near=output) as (config, folders):
        return convert_checkpoints(
            backbone,
            **files,
            base_checkpoint=_base_checkpoint(backbone, plan, hub),
            output=output,
            config=config,
            folders=folders,
            overwrite=overwrite,
        )


def _base_checkpoint(backbone: str, plan: FetchPlan, hub: Hub) -> Path | None:
    """Where a base model was published as one checkpoint, that becomes a folder of the pack."""
    base = published_facts(backbone).base
    if get_backbone(backbone).convert_base is None:
        return None
    return hub.snapshot(base.repo, plan.commit_of(base.repo)) / base.files[0]


@contextmanager
def converted_encoders(config: PackConfig, hub: Hub, *, near: Path) -> Iterator[tuple[PackConfig, dict[str, Path]]]:
    """The configuration with the encoders that the hub holds as pickles inside the pack, and the folders to copy there.

    An encoder that is not in the hub cache stays as the configuration has it. The folders lie beside `near` and are
    gone afterwards: a whole encoder may not fit into the system's own place for temporary files.
    """
    near.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=near.parent) as scratch:
        folders: dict[str, Path] = {}
        pickled = {role: source for role, source in ENCODER_SOURCES.items() if PICKLED_WEIGHTS in source.files}
        for role, source in pickled.items():
            commit = config.encoders[role].revision or source.revision
            if hub.cached_file(source.repo, PICKLED_WEIGHTS, commit) is not None:
                folder = hub.snapshot(source.repo, commit)
                spec = _converted_encoder(config.encoders[role], folder, Path(scratch), role)
                config = replace(config, encoders={**config.encoders, role: spec})
                folders[spec.source] = Path(scratch) / role
        yield config, folders


def _pinned(config: PackConfig, published: Published, plan: FetchPlan) -> PackConfig:
    """The configuration with the commits that were taken, which are not the pinned ones after `--latest`."""
    commits: Mapping[str, str] = {entry.source.repo: entry.commit for entry in plan.repositories}
    encoders = {}
    for role, spec in config.encoders.items():
        commit = commits.get(spec.source, spec.revision)
        fingerprint = spec.fingerprint
        if commit != spec.revision:
            fingerprint = fingerprint_encoder(spec.kind, f"{spec.source}@{commit}", spec.preprocessing)
        encoders[role] = replace(spec, revision=commit, fingerprint=fingerprint)
    return replace(config, encoders=encoders, base_revision=commits.get(published.base.repo, config.base_revision))


def _converted_encoder(spec: EncoderSpec, folder: Path, scratch: Path, role: str) -> EncoderSpec:
    """Writes the encoder into `scratch` with safetensors weights; returns its description inside the pack."""
    target = scratch / role
    target.mkdir()
    shutil.copyfile(folder / "config.json", target / "config.json")
    state = {key: value.contiguous() for key, value in read_checkpoint(folder / PICKLED_WEIGHTS).items()}
    save_file(state, target / "model.safetensors", metadata={"format": "pt"})
    fingerprint = fingerprint_encoder(spec.kind, target, spec.preprocessing)
    return replace(spec, source=f"{CONVERTED}/{role}", fingerprint=fingerprint, revision=None)
