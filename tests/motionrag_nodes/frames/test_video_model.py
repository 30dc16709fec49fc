"""Loading a diffusers folder: the whole way, and what may be wrong with it."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.errors import AdapterMismatch, VideoModelIncomplete, VideoModelNotFound
from motionrag_nodes.frames.video_model import load_video_model


def test_a_pack_brings_its_adapter_and_its_defaults(tiny_pipeline_folder, write_tiny_pack, tmp_path):
    pack = load_pack(write_tiny_pack(tmp_path / "pack", folders={"base": tiny_pipeline_folder}))
    model = load_video_model(None, pack=pack)
    assert model.adapter is pack.adapter
    assert (model.pack.name, model.defaults.width, model.defaults.frames) == ("test-pack", 64, 4)
    assert model.source == str((tmp_path / "pack" / "base").resolve())
    assert not model.pipeline.unet.training


def test_other_precision_leaves_the_packs_own_weights_alone(tiny_pipeline_folder, write_tiny_pack, tmp_path):
    pack = load_pack(write_tiny_pack(tmp_path / "pack"))
    model = load_video_model(tiny_pipeline_folder, pack=pack, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.adapter.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in pack.adapter.parameters()} == {torch.float32}
    assert model.pipeline.unet.dtype == torch.bfloat16


def test_without_a_pack_the_published_defaults_hold(tiny_pipeline_folder):
    model = load_video_model(tiny_pipeline_folder)
    assert model.adapter is None and model.pack is None
    assert (model.defaults.width, model.defaults.height, model.defaults.frames, model.defaults.fps) == (1024, 576, 4, 7)


def test_a_folder_with_half_precision_files_only_is_loaded(tiny_pipeline_folder, tmp_path):
    from diffusers import StableVideoDiffusionPipeline

    pipeline = StableVideoDiffusionPipeline.from_pretrained(tiny_pipeline_folder, torch_dtype=torch.float16)
    pipeline.save_pretrained(tmp_path / "half", variant="fp16")
    assert load_video_model(tmp_path / "half", dtype=torch.bfloat16).pipeline.unet.dtype == torch.bfloat16


def test_models_that_are_not_there_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(VideoModelNotFound, match=r"in diffusers' layout at .*nowhere, found none: correct the path"):
        load_video_model(tmp_path / "nowhere")
    with pytest.raises(
        VideoModelNotFound, match=r"Expected a diffusers folder with model_index.json .* choose the folder"
    ):
        load_video_model(tmp_path)
    with pytest.raises(VideoModelNotFound, match=r"Expected the video model someone/unknown .*hf download"):
        load_video_model("someone/unknown")
    with pytest.raises(VideoModelNotFound, match="received neither"):
        load_video_model(None)
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    with pytest.raises(VideoModelNotFound, match=r"Expected a StableVideoDiffusionPipeline or .*found FluxPipeline"):
        load_video_model(tmp_path)


def test_a_pack_for_another_model_is_refused(tiny_pipeline_folder, write_tiny_pack, tiny_pack_config, tmp_path):
    from motionrag_nodes.checkpoints.pack import build_modules

    sites = {"down_blocks.0.attentions.7.transformer_blocks.0.attn2": 32}
    config = replace(tiny_pack_config, adapter=replace(tiny_pack_config.adapter, sites=sites))
    state = build_modules(config)[2].state_dict()
    pack = load_pack(write_tiny_pack(tmp_path / "pack", config=config, adapter_state=state))
    with pytest.raises(AdapterMismatch, match=r"no channels instead of 32 at down_blocks.0.attentions.7.*Load the"):
        load_video_model(tiny_pipeline_folder, pack=pack)
    pack.config = replace(config, backbone="cogvideox")
    with pytest.raises(VideoModelNotFound, match=r"Expected a CogVideoXImage.* found StableVideo.*choose a CogVideoX"):
        load_video_model(tiny_pipeline_folder, pack=pack)


@pytest.mark.parametrize("part", ["unet", "vae", "image_encoder"])
def test_a_file_that_lacks_weights_is_an_error(tiny_pipeline_folder, tmp_path, part):
    folder = tmp_path / "base"
    shutil.copytree(tiny_pipeline_folder, folder)
    path = next((folder / part).glob("*.safetensors"))
    state = load_file(path)
    lost = sorted(state)[0]
    del state[lost]
    save_file(state, path, metadata={"format": "pt"})
    with pytest.raises(VideoModelIncomplete, match=rf"Expected every weight of the model in .*{part}, but .*{lost}"):
        load_video_model(folder)


def test_loading_prints_nothing(tiny_pipeline_folder, capfd):
    load_video_model(tiny_pipeline_folder)
    told = capfd.readouterr()
    assert told.out == told.err == ""
