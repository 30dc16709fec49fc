"""The primer compares, without the UNet, what the adapter and the scripts add inside it."""

import numpy as np
import torch

from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER
from training import primer, stage1
from training.base import Frozen
from training.encoders import retrieval
from training.encoders.motion import MotionLesson
from training.scripts import ScriptedBase
from training.sizes import codec
from training.warm_start import load_from_pack


def test_a_fresh_adapter_misses_all_that_scripts_add_and_learns() -> None:
    torch.manual_seed(0)
    base, lesson = ScriptedBase().eval().requires_grad_(False), MotionLesson()
    load_from_pack("motion", lesson, PACKAGED_FOLDER / "tiny")
    encoder = lesson.encoder.eval().requires_grad_(False)
    for site in base.scripts.sites:
        base.scripts.site(site).to_v_ip[0].weight.normal_(std=0.5)
    tower, tokenizer = retrieval.build()
    frozen = Frozen(codec=codec(), scaling_factor=1.0, retrieval=tower.eval(), tokenizer=tokenizer)
    model = stage1.MotionInjection(base.unet)
    loss = primer.make_loss(model, base, encoder, primer.fill_bank(encoder, frozen, clips=4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    errors = []
    for _ in range(12):
        error = loss(np.random.default_rng(0), 4)["sites"]
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert abs(errors[0] - 1) < 1e-4  # its values begin at zero
    assert errors[-1] < 0.5
