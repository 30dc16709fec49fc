"""Conversion: round trips at small sizes, and every difference named."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from packaging.version import Version

from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings
from motionrag_nodes.backbones.published import KeyRule
from motionrag_nodes.checkpoints.convert import convert_checkpoints, part_shapes
from motionrag_nodes.checkpoints.key_tables import FileKind, sort_keys
from motionrag_nodes.checkpoints.pack import build_modules, load_pack
from motionrag_nodes.checkpoints.pack_config import AdapterConfig
from motionrag_nodes.checkpoints.published import key_table, published_config
from motionrag_nodes.checkpoints.start_token import derive_start_token
from motionrag_nodes.checkpoints.unpickle import SAFE_TORCH, read_checkpoint
from motionrag_nodes.errors import CheckpointInvalid, CheckpointRefused, PackInvalid

pytestmark = pytest.mark.skipif(
    Version(torch.__version__) < Version(SAFE_TORCH), reason="this torch is refused any checkpoint"
)


@pytest.fixture
def published(tmp_path, tiny_pack_config, tiny_modules):
    """Small checkpoints with the published structure; returns a function that converts them, parts replaced."""
    resampler, transformer, adapter = (module.state_dict() for module in tiny_modules)
    states = {
        "motion_proj": dict(resampler),
        "motion_transformer": dict(transformer) | {f"vision_proj.{key}": value for key, value in resampler.items()},
        "adapter": dict(adapter) | {f"action_proj_model.{key}": value for key, value in resampler.items()},
    }
    return published_folder(tmp_path, states, tiny_pack_config, "svd")


def published_folder(folder, states, config, backbone):
    def run(changed=(), **options):
        paths = {}
        for role, state in (states | dict(changed)).items():
            paths[role] = folder / f"{role}.ckpt"
            torch.save(state if role == "motion_proj" else {"state_dict": state}, paths[role])
        return convert_checkpoints(backbone, **(paths | {"output": folder / "pack", "config": config} | options))

    run.states = states
    return run


def test_svd_round_trip(published, tiny_modules, tmp_path):
    made = published()
    assert made.tensors == {role: len(state) for role, state in published.states.items()}
    pack = load_pack(tmp_path / "pack")
    for module, original in zip(
        (pack.motion_resampler, pack.context_transformer, pack.adapter), tiny_modules, strict=True
    ):
        state, expected = module.state_dict(), original.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_the_repeated_resampler_may_be_absent_or_rounded(published, tmp_path):
    bare = {
        role: {k: v for k, v in state.items() if not k.startswith(("vision_proj.", "action_proj_model."))}
        for role, state in published.states.items()
    }
    published(bare)
    load_pack(tmp_path / "pack")
    rounded = {
        key: value.bfloat16() if key.startswith("vision_proj.") else value
        for key, value in published.states["motion_transformer"].items()
    }
    published({"motion_transformer": rounded}, output=tmp_path / "rounded")
    assert load_pack(tmp_path / "rounded").tokens_fingerprint == load_pack(tmp_path / "pack").tokens_fingerprint


def test_precision_is_kept(published, tmp_path):
    half = {key: value.half() for key, value in published.states["motion_proj"].items()}
    bare = {k: v for k, v in published.states["motion_transformer"].items() if not k.startswith("vision_proj.")}
    published({"motion_proj": half, "motion_transformer": bare})
    state = load_pack(tmp_path / "pack").motion_resampler.state_dict()
    assert all(torch.equal(state[key], half[key].float()) for key in half)


def test_every_difference_of_every_file_is_listed(published, tmp_path):
    states = {role: dict(state) for role, state in published.states.items()}
    del states["motion_proj"]["latents"]
    states["motion_proj"]["extra.weight"] = torch.zeros(3)
    del states["motion_transformer"]["condition_proj.latents"]
    del states["motion_transformer"]["vision_proj.proj_in.bias"]
    site = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor"
    states["adapter"][f"{site}.to_k_ip.0.weight"] = torch.zeros(64, 31)
    states["adapter"]["unet.mid_block.attentions.1.processor.to_q_ip.0.weight"] = torch.zeros(1)
    with pytest.raises(CheckpointInvalid) as error:
        published(states)
    text = str(error.value)
    assert "found 6 differences; check that each file was given to its own option" in text
    for part in (
        "motion_proj.ckpt: missing: latents [1, 3, 16]",
        "motion_proj.ckpt: unexpected: extra.weight [3]",
        "motion_transformer.ckpt: missing: condition_proj.latents [1, 3, 16]",
        "motion_transformer.ckpt: missing: vision_proj.proj_in.bias [16]",
        f"adapter.ckpt: shape: {site}.to_k_ip.0.weight expected [64, 32], received [64, 31]",
        "adapter.ckpt: unexpected: unet.mid_block.attentions.1.processor.to_q_ip.0.weight [1]",
    ):
        assert part in text
    assert not (tmp_path / "pack").exists()


def test_a_checkpoint_without_the_start_token_gets_the_derived_one(published, tiny_pack_config, tmp_path):
    assert not published().derived_start_token
    bare = {k: v for k, v in published.states["motion_transformer"].items() if k != "sos_token"}
    made = published({"motion_transformer": bare}, output=tmp_path / "derived")
    assert made.derived_start_token and made.tensors["motion_transformer"] == len(bare)
    stored, derived = (load_pack(tmp_path / name).context_transformer.sos_token for name in ("pack", "derived"))
    # One that a checkpoint carries wins.
    assert torch.equal(stored, published.states["motion_transformer"]["sos_token"])
    expected = derive_start_token(
        tiny_pack_config.context_transformer,
        appearance=tiny_pack_config.appearance_resampler,
        motion=tiny_pack_config.motion_resampler,
    )
    assert torch.equal(derived, expected.float()) and not torch.equal(derived, stored)


def test_swapped_files_are_recognised_in_one_line(published):
    proj, transformer, adapter = (published.states[role] for role in ("motion_proj", "motion_transformer", "adapter"))
    with pytest.raises(CheckpointInvalid) as error:
        published({"motion_proj": transformer, "motion_transformer": proj})
    first, *rest = str(error.value).splitlines()
    assert (
        "motion_proj.ckpt, given with --motion-proj, is probably the motion_transformer of svd, which goes with "
        "--motion-transformer; motion_transformer.ckpt, given with --motion-transformer, is probably the motion_proj "
        "of svd, which goes with --motion-proj:" in first
    )
    assert f"found {len(rest)} differences" in first and all(line.startswith("  - motion_") for line in rest)
    bare = {key: value for key, value in adapter.items() if key.startswith("unet.")}
    for given in (adapter, bare):
        with pytest.raises(
            CheckpointInvalid, match=r"motion_proj.ckpt, given with --motion-proj, is probably the adapter"
        ):
            published({"motion_proj": given})


def test_a_file_of_another_backbone_is_recognised(published):
    shapes = part_shapes(published_config("cogvideox", name="cogvideox"))["motion_adapter"]
    # On the meta device: the real file is 5 GB.
    given = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    kinds = [
        FileKind("svd", "motion_proj", shapes={"latents": (1,)}, copies={}),
        FileKind("cogvideox", "adapter", shapes=shapes, copies={}),
    ]
    assert kinds[1].likeness(given) == 1 and kinds[1].likeness(published.states["adapter"]) == 0
    with pytest.raises(CheckpointInvalid, match=r"given with --adapter, is probably the adapter of cogvideox:"):
        sort_keys(
            key_table("svd"),
            {"adapter": given},
            {"adapter": Path("Motion-Adapter.ckpt")},
            {"motion_adapter": {"unet.x": (1,)}, "motion_resampler": {}},
            kinds=lambda: kinds,
        )


def test_a_folder_gets_its_own_message(tmp_path):
    folder = tmp_path / "SVD"
    folder.mkdir()
    with pytest.raises(CheckpointInvalid, match=r"received the folder .*SVD: it holds no \.ckpt file, choose another"):
        convert_checkpoints("svd", motion_proj=folder, motion_transformer=folder, adapter=folder, output=tmp_path / "p")
    (folder / "motion_proj.ckpt").touch()
    (folder / "Motion-Adapter.ckpt").touch()
    with pytest.raises(
        CheckpointInvalid, match=r"name one of the files in it \(Motion-Adapter\.ckpt, motion_proj\.ckpt\)"
    ):
        read_checkpoint(folder)


def test_layers_that_were_never_saved_get_start_values(caplog):
    """As DynamiCrafter's to_q_a, under its own names."""
    rule = KeyRule(
        "adapter", "model.", "motion_adapter", "unet.",
        endings={f".processor.to_{x}_ip.0.weight": f".to_{x}_a.weight" for x in "qkv"},
        drawn=(".to_q_ip.0.weight",),
    )  # fmt: skip
    shapes = {f"unet.attn2.processor.to_{x}_ip.0.weight": (8, n) for x, n in (("q", 8), ("k", 4), ("v", 4))}
    saved = {"model.attn2.to_k_a.weight": torch.randn(8, 4), "model.attn2.to_v_a.weight": torch.randn(8, 4)}
    arguments = {"paths": {"adapter": Path("Motion-Adapter.ckpt")}, "shapes": {"motion_adapter": shapes}}
    part = sort_keys([rule], {"adapter": saved}, **arguments)["motion_adapter"]
    assert torch.equal(part["unet.attn2.processor.to_k_ip.0.weight"], saved["model.attn2.to_k_a.weight"])
    drawn = part["unet.attn2.processor.to_q_ip.0.weight"].float()
    assert drawn.shape == (8, 8) and 0 < drawn.abs().max() <= 8**-0.5
    assert "holds none of 1 layers that were never trained (model.attn2.to_q_a.weight, ...)" in caplog.text
    caplog.clear()
    whole = saved | {"model.attn2.to_q_a.weight": torch.randn(8, 8)}
    part = sort_keys([rule], {"adapter": whole}, **arguments)["motion_adapter"]
    assert torch.equal(part["unet.attn2.processor.to_q_ip.0.weight"], whole["model.attn2.to_q_a.weight"])
    assert not caplog.text
    with pytest.raises(CheckpointInvalid, match=r"Motion-Adapter.ckpt: missing: model.attn2.to_v_a.weight \[8, 4\]"):
        sort_keys([rule], {"adapter": {"model.attn2.to_k_a.weight": saved["model.attn2.to_k_a.weight"]}}, **arguments)


def test_files_of_different_trainings_are_refused(published):
    other = dict(published.states["adapter"])
    other["action_proj_model.proj_in.weight"] = other["action_proj_model.proj_in.weight"] + 1
    with pytest.raises(CheckpointInvalid, match=r"action_proj_model.proj_in.weight differs from .* by up to 1"):
        published({"adapter": other})


def test_a_hostile_file_is_refused(published):
    class Hostile:
        def __reduce__(self):
            return eval, ("1",)

    with pytest.raises(CheckpointRefused, match=r"adapter.ckpt, but loading it would call (__builtin__|builtins).eval"):
        published({"adapter": {"a": Hostile()}})


def test_an_existing_pack_is_kept_unless_asked(published):
    published()
    with pytest.raises(PackInvalid, match="Expected a new folder"):
        published()
    published(overwrite=True)


def test_cogvideox_round_trip_with_17_frames(tmp_path, tiny_pack_config):
    sites = {"transformer_blocks.0.attn1": 32, "transformer_blocks.1.attn1": 32}
    settings = CogVideoXSettings(width=64, height=64, frames=9, fps=4, steps=3)
    adapter = AdapterConfig(token_dim=32, sites=sites)
    config = replace(tiny_pack_config, backbone="cogvideox", adapter=adapter, generation=settings)
    torch.manual_seed(0)
    resampler, transformer, adapter = (module.state_dict() for module in build_modules(config))
    attention = {
        f"transformer.{site}.{projection}.{part}": torch.randn(32, 32) if part == "weight" else torch.randn(32)
        for site in sites
        for projection in ("to_q", "to_k", "to_v")
        for part in ("weight", "bias")
    }
    states = {
        "motion_proj": resampler,
        "motion_transformer": transformer,
        "adapter": {key: value + 1 for key, value in adapter.items()},
        "base_weights": attention,
    }
    run = published_folder(tmp_path, states, config, "cogvideox")
    run()
    pack = load_pack(tmp_path / "pack")
    assert all(torch.equal(value, states["adapter"][key]) for key, value in pack.adapter.state_dict().items())
    base = pack.base_attention_state()
    assert base.keys() == attention.keys() and all(torch.equal(base[key], attention[key]) for key in base)
    broken = {key: value for key, value in attention.items() if "1.attn1.to_v" not in key}
    with pytest.raises(CheckpointInvalid, match=r"base_weights.ckpt: missing: .*blocks.1.attn1.to_v"):
        run({"base_weights": broken}, output=tmp_path / "other")


def test_17_frames_belongs_to_cogvideox_alone(published, tmp_path, tiny_pack_config):
    with pytest.raises(CheckpointInvalid, match=r"no file of the base's weights for svd, .*: leave --frames-17 out"):
        published(base_weights=tmp_path / "motion_proj.ckpt")
    files = {role: tmp_path / f"{role}.ckpt" for role in published.states}
    with pytest.raises(CheckpointInvalid, match=r"Expected 17_frames.ckpt as well for cogvideox.*--frames-17"):
        convert_checkpoints("cogvideox", **files, output=tmp_path / "pack")
    with pytest.raises(CheckpointInvalid, match=r"Expected a backbone of svd, cogvideox, .*received 'vhs'"):
        convert_checkpoints("vhs", **files, output=tmp_path / "pack")
