"""A stage begins from a pack's weights, and from no other's."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER
from motionrag_nodes.errors import PackInvalid
from training import sizes
from training.encoders import codec
from training.encoders.motion import MotionLesson
from training.scripts import ScriptedBase
from training.warm_start import keep_lineage, load_from_pack

TINY = PACKAGED_FOLDER / "tiny"


def test_the_weights_are_the_packs() -> None:
    model = codec.build()
    before = model.encoder.conv_in.weight.clone()
    load_from_pack("codec", model, TINY)
    assert not torch.equal(model.encoder.conv_in.weight, before)


def test_heads_that_no_pack_holds_begin_anew() -> None:
    torch.manual_seed(0)
    model = MotionLesson()
    kind, first = model.kind.weight.clone(), next(model.encoder.parameters()).clone()
    load_from_pack("motion", model, TINY)
    assert torch.equal(model.kind.weight, kind)
    assert not torch.equal(next(model.encoder.parameters()), first)


def test_another_models_weights_are_refused() -> None:
    with pytest.raises(PackInvalid, match="Expected the weights of stage stage2"):
        load_from_pack("stage2", sizes.appearance_encoder(), TINY)


@pytest.mark.parametrize("stage", ["codec", "base"])
def test_weights_of_other_sizes_are_refused_by_name_and_nothing_is_loaded(tmp_path: Path, stage: str) -> None:
    model = codec.build() if stage == "codec" else ScriptedBase()
    before = {key: value.clone().contiguous() for key, value in model.state_dict().items()}
    name = next(key for key in before if key.endswith("conv_in.weight"))
    save_file(before | {name: before[name][:, :2].contiguous()}, tmp_path / f"{stage}.safetensors")
    with pytest.raises(PackInvalid, match=rf"1 have other sizes \['{name}'\]: give a pack of the sizes"):
        load_from_pack(stage, model, tmp_path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackInvalid, match="found none: give the folder of a tiny motion pack"):
        load_from_pack("base", ScriptedBase(), tmp_path)


def test_a_run_is_gone_on_from_with_what_its_logs_say(tmp_path: Path) -> None:
    torch.manual_seed(0)
    run, base = tmp_path / "run", ScriptedBase()
    run.mkdir()
    save_file({key: value.half() for key, value in base.state_dict().items()}, run / "base.safetensors")
    (run / "base.csv").write_text("step,seconds,learning_rate,denoising\n7,36.0,0.001,0.5\n")
    other = ScriptedBase()
    load_from_pack("base", other, run)
    site = base.scripts.sites[0]
    kept, loaded = (model.scripts.site(site).to_k_ip[0].weight for model in (base, other))
    assert torch.allclose(kept, loaded, atol=1e-3)
    keep_lineage("base", run, tmp_path / "next")
    assert json.loads((tmp_path / "next" / "base.began_from.json").read_text())["steps"] == 7


def test_a_go_without_a_step_leaves_no_trace(tmp_path: Path) -> None:
    carried = tmp_path / "carried"
    keep_lineage("codec", TINY, carried)
    keep_lineage("codec", carried, tmp_path / "next")
    told, known = (json.loads((run / "codec.began_from.json").read_text()) for run in (tmp_path / "next", carried))
    assert told == known
    assert told["steps"] > 0


def test_what_began_a_stage_and_how_the_losses_fell_is_kept(tmp_path: Path) -> None:
    keep_lineage("stage1", TINY, tmp_path)
    assert json.loads((tmp_path / "primer.began_from.json").read_text())["steps"] > 0
    assert (tmp_path / "losses_before.png").read_bytes() == (TINY / "card" / "losses.png").read_bytes()
