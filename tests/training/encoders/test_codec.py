import numpy as np
import pytest
import torch
import torch.nn.functional as F

from training.encoders import codec
from training.encoders.codec import CROP, FACTOR, crop_around_sprites, shifted, shrunk, to_pixels


def ramp(channels: int, side: int) -> torch.Tensor:
    """A picture whose value is its own place, [1, channels, side, side], rows in the last channel."""
    place = torch.arange(side, dtype=torch.float32) + 0.5
    columns, rows = place.expand(side, side), place[:, None].expand(side, side)
    return torch.stack([columns, rows] * (channels // 2))[None]


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (0, 5), (7, 2)])
def test_shifted_latents_decode_to_the_shifted_window(right: int, down: int) -> None:
    pixels = ramp(2, CROP + FACTOR)
    latents = F.avg_pool2d(pixels, FACTOR)  # the simplest codec: a place's mean
    moved, wanted = shifted(latents, pixels, right=right, down=down)
    assert wanted.shape == (1, 2, CROP, CROP)
    assert torch.equal(wanted, pixels[..., down : down + CROP, right : right + CROP])
    assert torch.allclose(moved, F.avg_pool2d(wanted, FACTOR), atol=1e-4)


def test_shrunk_latents_decode_to_the_smaller_picture() -> None:
    pixels = ramp(2, 64)
    small, wanted = shrunk(F.avg_pool2d(pixels, FACTOR), pixels, side=4)
    assert wanted.shape == (1, 2, 32, 32)
    middle = (..., slice(1, -1), slice(1, -1))
    assert torch.allclose(small[middle], F.avg_pool2d(wanted, FACTOR)[middle], atol=0.5)


def test_windows_lie_on_the_latents_grid_and_show_the_sprite() -> None:
    from training.data import draw_clips

    rng = np.random.default_rng(0)
    specs, clips = draw_clips(rng, 8)
    chosen = np.array([0, 1])
    numbered = np.broadcast_to(np.arange(64)[None, None, None, :, None], clips.shape)
    windows = crop_around_sprites(specs, numbered, chosen, np.random.default_rng(1))
    assert windows.shape == (8, 16, CROP + FACTOR, CROP + FACTOR, 3)
    assert (windows[..., 0, 0] % FACTOR == 0).all()
    shown = crop_around_sprites(specs, clips[:, chosen], chosen, np.random.default_rng(1))
    assert all(window.std() > 5 for window in shown)


@pytest.mark.parametrize("whole", [0.0, 1.0])
@pytest.mark.parametrize("moved", [0.0, 1.0])
def test_every_kind_of_step_is_learned_from(whole: float, moved: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "WHOLE_FRAMES_SHARE", whole)
    monkeypatch.setattr(codec, "MOVED_SHARE", moved)
    torch.manual_seed(0)
    model = codec.build()
    loss = codec.make_loss(model)
    optimizer = torch.optim.Adam(model.parameters(), 5e-4)  # higher, and the first steps jump
    errors = []
    for _ in range(12):
        parts = loss(np.random.default_rng(3), 4)  # the same batch each time
        assert set(parts) == {"mse", "l1", "outline", "background", "kl"}
        errors.append(sum(parts.values()).item())
        optimizer.zero_grad()
        sum(parts.values()).backward()
        optimizer.step()
    assert errors[-1] < 0.8 * errors[0]


def sprite(side: int) -> torch.Tensor:
    frame = np.full((1, 32, 32, 3), 20, dtype=np.uint8)
    frame[:, 12 : 12 + side, 12 : 12 + side] = 200
    return to_pixels(frame)


@pytest.mark.parametrize("side", [4, 8, 12])
def test_sprites_of_any_size_count_as_much_as_all_else(side: int) -> None:
    pixels = sprite(side)
    at_sprite, beside = pixels.clone(), pixels.clone()
    near = (..., *[slice(12 - 2, 12 + side + 2)] * 2)  # with its surroundings
    at_sprite[near] += 0.1
    beside += 0.1
    beside[near] = pixels[near]
    costs = [float(codec.reconstruction_errors(decoded, pixels)["mse"]) for decoded in (at_sprite, beside)]
    share = (side + 4) ** 2 / 32**2
    assert costs[0] / costs[1] == pytest.approx((share + 1) / (1 - share), rel=1e-3)


def test_a_pixel_too_many_or_too_few_is_an_error_of_the_outline() -> None:
    pixels = sprite(8)
    assert codec.reconstruction_errors(pixels, pixels)["outline"] == 0
    darker = pixels - 0.05
    darker[..., 12:20, 12:20] = 0.5  # another colour, the same outline
    larger = pixels.clone()
    larger[..., 12:20, 20] = pixels[..., 15, 15].view(1, 3, 1)
    whole = codec.OUTLINE_WEIGHT * 8 / (8 * 9 + 1 + 32 * 32 * 0.0067)  # soft outlines reach everywhere a little
    errors = [float(codec.reconstruction_errors(decoded, pixels)["outline"]) for decoded in (darker, larger)]
    assert errors[0] < 0.1 * errors[1]
    assert errors[1] == pytest.approx(whole, rel=0.2)


def test_only_the_decoder_learns_from_latents_that_stay() -> None:
    torch.manual_seed(0)
    model = codec.build()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    loss = codec.make_loss(codec.decoder_only(model))
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), 1e-3)
    parts = loss(np.random.default_rng(3), 4)
    assert set(parts) == {"mse", "l1", "outline", "background"}
    sum(parts.values()).backward()
    optimizer.step()
    learned = {key.split(".")[0] for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert learned == {"decoder", "post_quant_conv"}


def test_scale_is_that_of_the_channels_that_spread_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MEASURED_CLIPS", 8)
    torch.manual_seed(0)
    model = codec.build()
    mean = model.quant_conv
    whole = codec.measure_latent_std(model)
    quarter = model.config.latent_channels // 4
    with torch.no_grad():
        for layer in (mean.weight, mean.bias):
            layer[quarter : model.config.latent_channels] *= 1e-3
    few = codec.measure_latent_std(model)
    assert few <= whole
    with torch.no_grad():
        for layer in (mean.weight, mean.bias):
            layer[: model.config.latent_channels] *= 2
    assert codec.measure_latent_std(model) == pytest.approx(2 * few, rel=1e-4)
