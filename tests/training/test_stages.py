"""The recipe, from nothing to a pack that loads, with one step a stage."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import motionrag_nodes.checkpoints.pack as pack_module
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.frames.video_model import load_video_model
from training import base, primer, stage1, stage2
from training.__main__ import share
from training.encoders import appearance, codec, motion, retrieval
from training.stages import STAGES, Start, run_stage


@pytest.fixture
def one_step_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same stages, as short as they can be."""
    for module in (codec, retrieval, motion, appearance, base, primer, stage1, stage2):
        monkeypatch.setattr(module, "RECIPE", replace(module.RECIPE, steps=1, batch=4))
    monkeypatch.setattr(codec, "DECODER_RECIPE", replace(codec.DECODER_RECIPE, steps=1, batch=4))
    monkeypatch.setattr(codec, "MEASURED_CLIPS", 4)  # five stages measure it
    monkeypatch.setattr(primer, "CLIPS", 4)
    for name, value in {"NAMED_CLIPS": 25, "FAMILIES": 2, "FAMILY_CLIPS": 21}.items():
        monkeypatch.setattr(stage2, name, value)


def test_stages_make_a_pack_that_loads(one_step_recipes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack_module, "PACKAGED_FOLDER", tmp_path / "packs")
    for name in STAGES:
        if name == "preview":  # twenty-four videos for people to look at
            continue
        run_stage(name, tmp_path / "run", Start())
        result = {"plot": "losses.png", "pack": "losses.png"}.get(name, f"{name}.safetensors")
        assert (tmp_path / "run" / result).is_file()
    assert (tmp_path / "packs" / "tiny" / "card" / "losses.png").is_file()
    pack = load_pack(tmp_path / "packs" / "tiny")
    clip = np.random.default_rng(0).integers(0, 255, (16, 64, 64, 3), dtype=np.uint8)
    assert pack.motion_encoder.encode([clip]).shape == (1, 128, 128)
    assert pack.retrieval_encoder.encode_text(["a red star rises"]).shape == (1, 128)
    model = load_video_model(None, pack=pack)
    assert model.defaults.frames == 8


def test_a_stage_whose_result_is_there_is_not_prepared_again(tmp_path: Path) -> None:
    (tmp_path / "primer.safetensors").touch()
    run_stage("primer", tmp_path, Start())  # it would look for the base
    with pytest.raises(FileNotFoundError, match="base"):
        run_stage("stage1", tmp_path, Start())


def test_the_pipelines_image_encoder_is_the_retrieval_tower() -> None:
    from training.assemble import image_encoder_from

    torch.manual_seed(0)
    tower, _ = retrieval.build()
    pixels = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = tower.eval().encode_image(pixels)
        received = image_encoder_from(tower.state_dict())(pixels).image_embeds
    assert torch.allclose(received, expected, atol=1e-5)


def test_denoising_target_is_what_the_scheduler_inverts() -> None:
    """x0 = noisy / (s^2 + 1) - s / sqrt(s^2 + 1) * F gives the clean latents back for F = target."""

    class Oracle(torch.nn.Module):
        """A UNet that answers nothing, so that the error is the mean square of the target."""

        def forward(self, sample: torch.Tensor, *_: object, **__: object) -> object:
            return type("Answer", (), {"sample": torch.zeros_like(sample[:, :, :4])})()

    torch.manual_seed(0)
    latents, noise, sigma = torch.randn(2, 8, 4, 8, 8), torch.randn(2, 8, 4, 8, 8), torch.tensor([0.5, 8.0])
    batch = base.DiffusionBatch(
        specs=(), clips=np.zeros(0), latents=latents, image_latents=torch.zeros(2, 8, 4, 8, 8),
        embedding=torch.zeros(2, 1, 8), added_time_ids=torch.zeros(2, 3), sigma=sigma,
        scripts=torch.zeros(2, 1, 32), conditional=torch.ones(2, dtype=bool),
    )  # fmt: skip
    s = sigma.view(-1, 1, 1, 1, 1)
    noisy = latents + s * noise
    target = (noisy / (s**2 + 1) - latents) * (s**2 + 1).sqrt() / s
    assert torch.allclose(noisy / (s**2 + 1) - s / (s**2 + 1).sqrt() * target, latents, atol=1e-4)
    error = base.denoising_error(Oracle(), batch, noise)
    weighted = base.moving_weight(latents) * target**2
    assert torch.allclose(error, weighted.mean((1, 2, 3, 4)), rtol=1e-4)


def test_where_the_database_runs_out_the_most_similar_references_stay() -> None:
    references = torch.full((400, 9), -1)
    kept = (stage2.run_out(np.random.default_rng(0), references, 50) == -1).numpy()
    assert kept[:, 0].all()
    assert (np.diff(kept.astype(int), axis=1) <= 0).all()  # strangers come last
    assert abs(kept.all(1).mean() - (1 - stage2.SHORT_SHARE)) < 0.08


def test_a_share_of_the_recipe_is_that_share_of_its_steps() -> None:
    fifth = Start(share=0.2).recipe(base.RECIPE)
    assert fifth == replace(base.RECIPE, steps=base.RECIPE.steps // 5)
    assert Start(share=0.2, steps=7).recipe(base.RECIPE).steps == 7
    assert Start(steps=0).recipe(base.RECIPE).steps == 0  # weights of another pack, as they are
    assert Start(share=0.01).part(3) == 1


@pytest.mark.parametrize("given", ["0", "0.009", "1.5", "-1", "nan"])
def test_a_share_of_nothing_or_of_more_than_all_is_refused(given: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"from 0.01 to 1, received {given}"):
        share(given)
