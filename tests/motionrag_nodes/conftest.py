"""Fixtures of the stages' tests: golden tensors and tiny real models, made with fixed seeds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.preprocessing import Preprocessing
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer, ContextTransformerConfig
from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.backbones.svd.settings import SVDSettings
from motionrag_nodes.batch_render.server.install import find_comfyui
from motionrag_nodes.checkpoints.pack import MotionPack, build_modules, load_pack, write_pack
from motionrag_nodes.checkpoints.pack_config import AdapterConfig, PackConfig
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig
from tests.index_builder.sentence_folder import save_tiny_sentence_encoder

# Models this small lose more to handing work between threads than they win, above all on a busy machine.
torch.set_num_threads(1)

TINY_SITES = {
    f"{block}.transformer_blocks.0.attn2": width
    for block, width in {
        "down_blocks.0.attentions.0": 32,
        "down_blocks.1.attentions.0": 64,
        "up_blocks.0.attentions.0": 64,
        "up_blocks.0.attentions.1": 64,
        "up_blocks.1.attentions.0": 32,
        "up_blocks.1.attentions.1": 32,
        "mid_block.attentions.0": 64,
    }.items()
}
GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"


@dataclass(frozen=True)
class Golden:
    """One golden file: tensors in float32 by full key, and the configuration."""

    config: dict[str, Any]
    tensors: dict[str, torch.Tensor]
    metadata: dict[str, str]

    def group(self, prefix: str) -> dict[str, torch.Tensor]:
        """The tensors below `prefix`, by the rest of their key."""
        return {key[len(prefix) + 1 :]: value for key, value in self.tensors.items() if key.startswith(f"{prefix}.")}


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Golden]:
    def load(name: str) -> Golden:
        with safe_open(GOLDEN_FOLDER / f"{name}.safetensors", "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}
            metadata = file.metadata()
        # Whole models are stored in float16 for size; the published modules computed on the widened values.
        widened = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        return Golden(json.loads(metadata["config"]), widened, metadata)

    return load


@pytest.fixture(scope="session")
def comfy() -> Any:
    """ComfyUI's package `comfy`, on the processor; its folder goes last on the path, where it hides nothing."""
    folder = str(find_comfyui().folder)
    if folder not in sys.path:
        sys.path.append(folder)
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    import comfy.sample
    import comfy.sd

    return comfy


@pytest.fixture
def tiny_pack_config() -> PackConfig:
    """A pack's configuration as small as the modules allow, for the tiny UNet of `tiny_pipeline`."""
    preprocessing = Preprocessing(32, 32, "bilinear", (0.5,) * 3, (0.5,) * 3)
    resampler = ResamplerConfig(
        embedding_dim=16, dim=16, depth=1, dim_head=8, heads=2, num_queries=3, output_dim=32, ff_mult=2
    )
    return PackConfig(
        name="test-pack",
        backbone="svd",
        motion_resampler=resampler,
        appearance_resampler=resampler,
        context_transformer=ContextTransformerConfig(
            token_dim=32, layers=1, heads=2, ff_dim=32, tokens_per_clip=3, max_positions=32
        ),
        adapter=AdapterConfig(token_dim=32, sites=TINY_SITES),
        encoders={
            "retrieval": EncoderSpec("open_clip", "retrieval", preprocessing, "r" * 16),
            "motion": EncoderSpec("videomae", "motion", replace(preprocessing, frames=16), "m" * 16),
            "appearance": EncoderSpec("dinov2", "appearance", preprocessing, "a" * 16),
        },
        base="base",
        references=4,
        generation=SVDSettings(width=64, height=64, frames=4, fps=4, steps=3, min_guidance=1.0, max_guidance=2.0),
    )


@pytest.fixture
def tiny_modules(tiny_pack_config: PackConfig) -> tuple[Resampler, ContextTransformer, MotionAdapter]:
    """Resampler, context transformer and adapter with random weights (an adapter's values start at zero otherwise)."""
    torch.manual_seed(0)
    modules = build_modules(tiny_pack_config)
    for parameter in modules[2].parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return modules


@pytest.fixture
def write_tiny_pack(tiny_pack_config, tiny_modules) -> Callable[..., Path]:
    """Write the tiny pack into a folder, with any part of it replaced."""

    def write(folder: Path, **replaced: Any) -> Path:
        resampler, transformer, adapter = tiny_modules
        parts = {
            "config": tiny_pack_config,
            "motion_resampler_state": resampler.state_dict(),
            "context_transformer_state": transformer.state_dict(),
            "adapter_state": adapter.state_dict(),
            "dtype": torch.float32,
        }
        write_pack(folder, **(parts | replaced))
        return folder

    return write


def save_tiny_encoders(folder: Path) -> None:
    """The three encoders of `tiny_pack_config` with random weights, saved as a pack keeps them."""
    import open_clip
    from safetensors.torch import save_file
    from transformers import Dinov2Config, Dinov2Model, VideoMAEConfig, VideoMAEModel

    sizes = {"image_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    VideoMAEModel(VideoMAEConfig(**sizes, patch_size=16, intermediate_size=16)).save_pretrained(folder / "motion")
    Dinov2Model(Dinov2Config(**sizes, patch_size=16, mlp_ratio=1)).save_pretrained(folder / "appearance")
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "head_width": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
    }
    (folder / "retrieval").mkdir()
    model = open_clip.CLIP(**config)
    save_file(model.state_dict(), folder / "retrieval" / "open_clip_model.safetensors")
    description = {"model_cfg": config, "preprocess_cfg": {"size": 32}}
    (folder / "retrieval" / "open_clip_config.json").write_text(json.dumps(description))


@pytest.fixture
def tiny_pack(tmp_path, tiny_pack_config, write_tiny_pack) -> MotionPack:
    """A loaded pack with encoders, all of random weights."""
    save_tiny_encoders(tmp_path)
    encoders = {
        role: replace(spec, fingerprint=fingerprint_encoder(spec.kind, tmp_path / role, spec.preprocessing))
        for role, spec in tiny_pack_config.encoders.items()
    }
    config = replace(tiny_pack_config, encoders=encoders)
    folders = {role: tmp_path / role for role in encoders}
    return load_pack(write_tiny_pack(tmp_path / "pack", config=config, folders=folders))


@pytest.fixture
def tiny_pack_of_two_spaces(tmp_path, tiny_pack, write_tiny_pack) -> MotionPack:
    """`tiny_pack` with a sentence encoder of width 12 for its captions."""
    save_tiny_sentence_encoder(tmp_path / "captions", width=12)
    fingerprint = fingerprint_encoder("sentence", tmp_path / "captions", None)
    captions = EncoderSpec("sentence", "captions", None, fingerprint)
    config = replace(tiny_pack.config, name="two-spaces", encoders={**tiny_pack.config.encoders, "captions": captions})
    folders = {role: tmp_path / role for role in config.encoders}
    return load_pack(write_tiny_pack(tmp_path / "two_spaces", config=config, folders=folders))


@pytest.fixture(scope="session")
def tiny_pipeline_folder(tmp_path_factory) -> Path:
    """A whole StableVideoDiffusionPipeline with random weights, in diffusers' folder layout; its sites: TINY_SITES."""
    from tests.motionrag_nodes.backbones.svd.tiny import save_pipeline

    folder = tmp_path_factory.mktemp("tiny-svd")
    save_pipeline(folder)
    return folder
