"""Begin a stage from the weights of a motion pack, or of another run: to train on, or to train what comes after it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from motionrag_nodes.errors import PackInvalid
from training.plot import LOSSES, LOSSES_BEFORE
from training.record import training_record

# stage -> the pack's files and where their weights go in what the stage trains
FILES: dict[str, dict[str, str]] = {
    "codec": {"base/vae/diffusion_pytorch_model.safetensors": ""},
    "retrieval": {"encoders/retrieval/open_clip_model.safetensors": ""},
    # transformers renames some keys of these two while it reads them, and is asked to do so.
    "motion": {"encoders/motion": "encoder."},
    "appearance": {"encoders/appearance": "encoder."},
    "base": {"base/unet/diffusion_pytorch_model.safetensors": "unet."},
    "stage1": {"motion_resampler.safetensors": "resampler.", "motion_adapter.safetensors": "adapter."},
    "stage2": {"context_transformer.safetensors": "", "appearance_resampler.safetensors": "condition_proj."},
}
# A pack holds encoders without the heads that taught them, and the base without its scripts: those begin from nothing.
HEADS = ("heads.", "trajectory.", "kind.", "scripts.")
# What a stage leaves was begun by these, whose own results no pack holds.
BEGUN_BY = {"stage1": ("primer",)}


def load_from_pack(stage: str, model: nn.Module, pack: Path) -> None:
    """Fill `model`, what a stage trains, from a pack's folder, or from the folder of a run that finished the stage.

    Raises PackInvalid: the weights there are not those of this stage's model, or of other sizes.
    """
    stored, wanted = _stored_weights(stage, model, pack), model.state_dict()
    missing = [key for key in wanted if key not in stored and not key.startswith(HEADS)]
    unknown = [key for key in stored if key not in wanted]
    resized = [key for key, value in stored.items() if key in wanted and value.shape != wanted[key].shape]
    if missing or unknown or resized:
        raise PackInvalid(
            f"Expected the weights of stage {stage} in {pack}, but {len(missing)} are missing {missing[:3]}, "
            f"{len(unknown)} are unknown {unknown[:3]} and {len(resized)} have other sizes {resized[:3]}: give a pack "
            "of the sizes in training/sizes.py."
        )
    model.load_state_dict(stored, strict=False)


def _stored_weights(stage: str, model: nn.Module, pack: Path) -> dict[str, Tensor]:
    """The stage's weights by the names of what it trains: those of the run that finished it, or the pack's parts."""
    finished = pack / f"{stage}.safetensors"
    if finished.exists():
        return load_file(finished)
    state: dict[str, Tensor] = {}
    for file, prefix in FILES[stage].items():
        if not (pack / file).exists():
            raise PackInvalid(
                f"Expected {file} in {pack}, found none: give the folder of a tiny motion pack, or of a run that "
                f"finished stage {stage}."
            )
        folder = (pack / file).is_dir()
        stored = type(model.encoder).from_pretrained(pack / file).state_dict() if folder else load_file(pack / file)
        state |= {prefix + key: value.float() for key, value in stored.items()}
    return state


def keep_lineage(stage: str, pack: Path, run_folder: Path) -> None:
    """Note in the run's folder what is known of the training gone on from: the pack's card, or the other run's logs.

    A go that only carried a stage over, without a step, is left out; the picture of the losses is kept.
    """
    card = pack / "card"
    told = card / "training.json"
    known = json.loads(told.read_text(encoding="utf-8")) if told.exists() else training_record(pack)
    run_folder.mkdir(parents=True, exist_ok=True)
    for name in (stage, *BEGUN_BY.get(stage, ())):
        if name in known["stages"]:
            record = {**known["stages"][name], "commit": known["commit"]}
            while not record["steps"] and "began_from" in record:
                record = record["began_from"]
            kept = run_folder / f"{name}.began_from.json"
            kept.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if (card / LOSSES).exists():
        shutil.copyfile(card / LOSSES, run_folder / LOSSES_BEFORE)
