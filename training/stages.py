"""Every stage by name: what it trains, from which earlier stages, and where its result lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import nn

from training.base import Frozen
from training.record import training_record
from training.runner import Loss, Recipe, train, world
from training.warm_start import keep_lineage, load_from_pack

# stage -> file; a stage's result is complete when its file exists
RESULT = "{name}.safetensors"


@dataclass(frozen=True)
class Start:
    """Where a stage begins and how far it goes, where that is not from nothing and as its recipe says.

    `share` is the part of the recipe's steps and of its stored clips that the stage gets; `steps`, if given, is the
    number of steps itself.
    """

    pack: Path | None = None
    steps: int | None = None
    learning_rate: float | None = None
    share: float = 1.0

    def part(self, count: int) -> int:
        """The share of so many steps or clips, at least one."""
        return max(1, round(self.share * count))

    def recipe(self, recipe: Recipe) -> Recipe:
        """The stage's recipe with what is asked for in place of its own."""
        steps = self.part(recipe.steps) if self.steps is None else self.steps
        changes = {"steps": steps, "lr": self.learning_rate}
        return replace(recipe, **{name: value for name, value in changes.items() if value is not None})


def finish(name: str, model: nn.Module, loss: Loss, recipe: Recipe, run_folder: Path, start: Start) -> None:
    """Train to the end and write the averaged weights, atomically."""
    result = run_folder / RESULT.format(name=name)
    if start.pack:
        load_from_pack(name, model, start.pack)
        if world()[0] == 0:
            keep_lineage(name, start.pack, run_folder)
    weights = train(name, model, loss, start.recipe(recipe), run_folder=run_folder)
    if world()[0] == 0:
        save_file({k: v.contiguous() for k, v in weights.items()}, result.with_suffix(".tmp"))
        os.replace(result.with_suffix(".tmp"), result)
    if world()[1] > 1:
        dist.barrier()  # the next stage of every process reads it


def load_result(name: str, model: nn.Module, run_folder: Path) -> nn.Module:
    """The frozen, evaluating model of a finished stage."""
    model.load_state_dict(load_file(run_folder / RESULT.format(name=name)))
    return model.eval().requires_grad_(False)


def run_codec(run_folder: Path, start: Start) -> None:
    """Stage "codec"."""
    from training.encoders import codec

    model = codec.build()
    finish("codec", model, codec.make_loss(model), codec.RECIPE, run_folder, start)


def run_decoder(run_folder: Path, start: Start) -> None:
    """Stage "decoder": the codec's decoder learns on; whatever learns from the codec's latents needs not wait."""
    from training import sizes
    from training.encoders import codec

    model = codec.decoder_only(load_result("codec", sizes.codec(), run_folder))
    loss = codec.make_loss(model)
    finish("decoder", model, loss, codec.DECODER_RECIPE, run_folder, replace(start, pack=None))


def run_retrieval(run_folder: Path, start: Start) -> None:
    """Stage "retrieval"."""
    from training.encoders import retrieval

    model, tokenizer = retrieval.build()
    finish("retrieval", model, retrieval.make_loss(model, tokenizer), retrieval.RECIPE, run_folder, start)


def run_motion(run_folder: Path, start: Start) -> None:
    """Stage "motion"."""
    from training.encoders import motion

    model = motion.MotionLesson()
    finish("motion", model, motion.make_loss(model), motion.RECIPE, run_folder, start)


def run_appearance(run_folder: Path, start: Start) -> None:
    """Stage "appearance"."""
    from training.encoders import appearance

    model = appearance.AppearanceLesson()
    finish("appearance", model, appearance.make_loss(model), appearance.RECIPE, run_folder, start)


def load_frozen(run_folder: Path) -> Frozen:
    """Codec and retrieval encoder of a run, for the diffusion stages."""
    from training import sizes
    from training.encoders import codec, retrieval

    vae = load_result("codec", sizes.codec(), run_folder)
    untrained, tokenizer = retrieval.build()
    return Frozen(
        codec=vae,
        scaling_factor=round(1 / codec.measure_latent_std(vae), 4),
        retrieval=load_result("retrieval", untrained, run_folder),
        tokenizer=tokenizer,
    )


def run_base(run_folder: Path, start: Start) -> None:
    """Stage "base" (stage 0)."""
    from training import base, scripts

    model = scripts.ScriptedBase()
    finish("base", model, base.make_loss(model, load_frozen(run_folder)), base.RECIPE, run_folder, start)


def run_primer(run_folder: Path, start: Start) -> None:
    """Stage "primer" (the beginning of stage 1): from nothing, since a pack holds no scripts to compare with."""
    from training import primer, scripts, stage1
    from training.encoders.motion import MotionLesson

    base = load_result("base", scripts.ScriptedBase(), run_folder)
    encoder = load_result("motion", MotionLesson(), run_folder).encoder
    model = stage1.MotionInjection(base.unet)
    bank = primer.fill_bank(encoder, load_frozen(run_folder), clips=start.part(primer.CLIPS))
    loss = primer.make_loss(model, base, encoder, bank)
    finish("primer", model, loss, primer.RECIPE, run_folder, replace(start, pack=None))


def run_stage1(run_folder: Path, start: Start) -> None:
    """Stage "stage1"."""
    from training import scripts, stage1
    from training.encoders.motion import MotionLesson

    unet = load_result("base", scripts.ScriptedBase(), run_folder).unet
    encoder = load_result("motion", MotionLesson(), run_folder).encoder
    model = stage1.MotionInjection(unet)
    if not start.pack:
        load_result("primer", model, run_folder).requires_grad_(True)
    finish(
        "stage1",
        model,
        stage1.make_loss(model, unet, encoder, load_frozen(run_folder)),
        stage1.RECIPE,
        run_folder,
        start,
    )


def run_stage2(run_folder: Path, start: Start) -> None:
    """Stage "stage2"."""
    from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
    from training import sizes, stage1, stage2
    from training.encoders.appearance import AppearanceLesson
    from training.encoders.motion import MotionLesson

    frozen = load_frozen(run_folder)
    injection = load_result("stage1", stage1.MotionInjection(sizes.base_unet()), run_folder)
    pool = stage2.build_pool(
        retrieval=frozen.retrieval,
        tokenizer=frozen.tokenizer,
        motion_encoder=load_result("motion", MotionLesson(), run_folder).encoder,
        appearance_encoder=load_result("appearance", AppearanceLesson(), run_folder).encoder,
        resampler=injection.resampler,
        named_clips=start.part(stage2.NAMED_CLIPS),
        families=start.part(stage2.FAMILIES),
    )
    model = ContextTransformer(sizes.CONTEXT_TRANSFORMER, sizes.APPEARANCE_RESAMPLER)
    finish("stage2", model, stage2.make_loss(model, pool), stage2.RECIPE, run_folder, start)


def run_plot(run_folder: Path, _start: Start) -> None:
    """Stage "plot": how the stages learned, as a picture; the pack's card takes it along."""
    from training.plot import LOSSES, write_plot

    if world()[0] == 0:
        write_plot(run_folder, run_folder / LOSSES)


def run_pack(run_folder: Path, _start: Start) -> None:
    """Stage "pack": assemble what the others left into motionrag_nodes/packs/tiny."""
    from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
    from motionrag_nodes.checkpoints import pack
    from training import assemble, scripts, sizes, stage1
    from training.encoders.appearance import AppearanceLesson
    from training.encoders.motion import MotionLesson
    from training.plot import LOSSES, LOSSES_BEFORE

    if world()[0] != 0:
        return
    frozen = load_frozen(run_folder)
    unet = load_result("base", scripts.ScriptedBase(), run_folder).unet
    transformer = ContextTransformer(sizes.CONTEXT_TRANSFORMER, sizes.APPEARANCE_RESAMPLER)
    models = assemble.TrainedModels(
        codec=load_result("decoder", sizes.codec(), run_folder),
        scaling_factor=frozen.scaling_factor,
        retrieval=frozen.retrieval,
        motion_encoder=load_result("motion", MotionLesson(), run_folder).encoder,
        appearance_encoder=load_result("appearance", AppearanceLesson(), run_folder).encoder,
        unet=unet,
        injection=load_result("stage1", stage1.MotionInjection(unet), run_folder),
        context_transformer=load_result("stage2", transformer, run_folder),
    )
    assemble.assemble(
        models,
        pack.PACKAGED_FOLDER / "tiny",
        record=training_record(run_folder),
        plots=[path for path in (run_folder / LOSSES, run_folder / LOSSES_BEFORE) if path.exists()],
    )


def run_preview(run_folder: Path, _start: Start) -> None:
    """Stage "preview": a picture of what the installed pack makes of every motion kind."""
    from motionrag_nodes.checkpoints import pack
    from training.preview import write_preview

    write_preview(pack.PACKAGED_FOLDER / "tiny", run_folder / "preview.png")


STAGES: dict[str, Callable[[Path, Start], None]] = {
    "codec": run_codec,
    "retrieval": run_retrieval,
    "motion": run_motion,
    "appearance": run_appearance,
    "base": run_base,
    "decoder": run_decoder,
    "primer": run_primer,
    "stage1": run_stage1,
    "stage2": run_stage2,
    "plot": run_plot,
    "pack": run_pack,
    "preview": run_preview,
}


def run_stage(name: str, run_folder: Path, start: Start) -> None:
    """Run a stage unless its result is there, from the same initial weights on every process and every run."""
    if not (run_folder / RESULT.format(name=name)).exists():
        torch.manual_seed(0)
        STAGES[name](run_folder, start)
