"""A base is scored before it is in a pack."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from motionrag_nodes.errors import PackNotFound
from training import sizes
from training.base import SIGMA_MAX, SIGMA_MIN, Frozen
from training.encoders import codec, retrieval
from training.evaluation import base_scores
from training.evaluation.base_scores import all_sigmas, drawn_by, load_base, scripted_batch
from training.evaluation.protocol.cases import draw_cases
from training.scripts import ScriptedBase


@pytest.fixture(scope="module")
def frozen() -> Frozen:
    torch.manual_seed(0)
    tower, tokenizer = retrieval.build()
    return Frozen(codec=codec.build().eval(), scaling_factor=0.5, retrieval=tower.eval(), tokenizer=tokenizer)


@pytest.fixture(scope="module")
def base() -> ScriptedBase:
    torch.manual_seed(0)
    return ScriptedBase().eval()


@pytest.mark.parametrize("steps", [3, 20])
def test_noise_falls_from_the_most_to_the_least(steps: int) -> None:
    sigmas = all_sigmas(steps)
    assert len(sigmas) == steps
    assert sigmas == sorted(sigmas, reverse=True)
    # Karras et al. 2022, equation 5: evenly spaced in the seventh root
    roots = [sigma ** (1 / 7) for sigma in (SIGMA_MAX, sigmas[1], SIGMA_MIN)]
    assert (roots[0] - roots[1]) * (steps - 1) == pytest.approx(roots[0] - roots[2], rel=1e-3)


def test_a_base_that_knows_the_clip_draws_it_and_one_that_takes_noise_for_it_keeps_it(
    frozen: Frozen, base: ScriptedBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = scripted_batch(frozen, draw_cases("seen", 2))
    noise = torch.randn(batch.latents.shape, generator=torch.Generator().manual_seed(0))
    seen = []

    def knows(_unet: torch.nn.Module, told: object, noisy: torch.Tensor) -> torch.Tensor:
        seen.append((float(told.sigma[0]), float((noisy - batch.latents).std())))
        return batch.latents

    monkeypatch.setattr(base_scores, "denoised", knows)
    assert torch.allclose(drawn_by(base, batch, [4.0, 2.0, 1.0], noise), batch.latents)
    assert [sigma for sigma, _ in seen] == [4.0, 2.0, 1.0]
    assert [spread for _, spread in seen] == pytest.approx([4.0, 2.0, 1.0], rel=0.05)
    monkeypatch.setattr(base_scores, "denoised", lambda _unet, _batch, noisy: noisy)
    assert torch.allclose(drawn_by(base, batch, [4.0, 2.0], noise), batch.latents + 4 * noise)


def test_cases_come_with_their_scripts_and_first_frame(frozen: Frozen, base: ScriptedBase) -> None:
    cases = draw_cases("unseen objects", 2)
    batch = scripted_batch(frozen, cases)
    assert batch.clips.shape == (2, sizes.FRAMES, sizes.SIZE_PIXELS, sizes.SIZE_PIXELS, 3)
    assert torch.allclose(batch.image_latents[:, -1] * frozen.scaling_factor, batch.latents[:, 0], atol=1e-5)
    assert batch.scripts.shape[0] == 2 and batch.scripts.abs().sum() > 0
    with torch.no_grad():
        base.scripts.site(base.scripts.sites[0]).to_v_ip[0].weight.normal_()
    told, other = (
        drawn_by(base, one, [1.0], torch.zeros_like(batch.latents))
        for one in (batch, replace(batch, scripts=batch.scripts * 0))
    )
    assert not torch.allclose(told, other)


def test_a_finished_base_goes_before_its_checkpoint(tmp_path: Path, base: ScriptedBase) -> None:
    with pytest.raises(PackNotFound, match=r"Expected base\.safetensors or base\.pt in .*: train stage base\."):
        load_base(tmp_path)
    begun = {key: torch.zeros_like(value) for key, value in base.state_dict().items()}
    torch.save({"average": begun}, tmp_path / "base.pt")
    assert not load_base(tmp_path).unet.conv_in.weight.any()
    save_file({key: value.contiguous() for key, value in base.state_dict().items()}, tmp_path / "base.safetensors")
    assert torch.equal(load_base(tmp_path).unet.conv_in.weight, base.unet.conv_in.weight)


def test_it_prints_a_table_for_each_set(
    tmp_path: Path, frozen: Frozen, base: ScriptedBase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for name, model in (("codec", frozen.codec), ("base", base), ("retrieval", frozen.retrieval)):
        state = {key: value.detach().contiguous().clone() for key, value in model.state_dict().items()}
        save_file(state, tmp_path / f"{name}.safetensors")
    monkeypatch.setattr("sys.argv", ["base_scores", "--run", str(tmp_path), "--clips", "2"])
    monkeypatch.setattr(base_scores, "STEPS", (3,))
    monkeypatch.setattr(base_scores, "SIGMAS", (3.0,))
    base_scores.main()
    told = capsys.readouterr().out
    assert "unseen objects" in told
    assert told.count("in one step from sigma 3") == 2
    assert told.count("in 3 steps") == 2
