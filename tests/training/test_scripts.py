"""Scripts tell a motion, the motion alone, and change a base that was not taught by them in nothing."""

import numpy as np
import torch

from motionrag_nodes.attention.injection import Entering, attach
from training.demo_world.world import draw_spec
from training.scripts import SCRIPT_DIM, UNITS, ScriptedBase, write_scripts
from training.sizes import LATENT_CHANNELS, hosts


def test_a_script_says_where_the_sprite_is_at_every_frame() -> None:
    spec = draw_spec(np.random.default_rng(0), motions=["left"])
    script = write_scripts([spec])
    assert script.shape == (1, 1, SCRIPT_DIM)
    path = script.view(8, 4) * torch.from_numpy(UNITS).float()
    assert torch.allclose(path[:, 0], -spec.reach * torch.arange(8) / 8, atol=1e-6)
    assert path[:, 1:].abs().max() == 0


def test_clips_that_move_alike_have_one_script_whatever_they_show() -> None:
    specs = [draw_spec(np.random.default_rng(seed), motions=["up"]) for seed in (0, 1)]
    first, second = (write_scripts([spec]) / spec.reach for spec in specs)
    assert torch.allclose(first, second, atol=1e-5)


@torch.no_grad()
def test_zeros_tell_nothing_and_a_script_something() -> None:
    torch.manual_seed(0)
    base = ScriptedBase().eval()
    for site in base.scripts.sites:
        base.scripts.site(site).to_v_ip[0].weight.normal_(std=0.5)
    sample, embedding, ids = torch.randn(1, 8, 2 * LATENT_CHANNELS, 8, 8), torch.randn(1, 1, 128), torch.zeros(1, 3)
    told = {"none": None, "zeros": torch.zeros(1, 1, SCRIPT_DIM), "ones": torch.ones(1, 1, SCRIPT_DIM)}
    answers = {}
    with attach(hosts(base.unet)) as injection:
        for name, script in told.items():
            if script is not None:
                injection.enter(Entering.of(base.scripts, script))
            answers[name] = base.unet(sample, torch.tensor(1.0), embedding, added_time_ids=ids).sample
    assert torch.allclose(answers["zeros"], answers["none"], atol=1e-6)
    assert (answers["ones"] - answers["none"]).abs().max() > 1e-3
