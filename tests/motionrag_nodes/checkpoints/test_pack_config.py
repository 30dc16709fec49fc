"""pack.json: the round trip, and all problems at once."""

import copy
import json
from dataclasses import replace

import pytest

from index_builder.features.encoders import EncoderSpec
from motionrag_nodes.backbones.backbone import backbone_names
from motionrag_nodes.checkpoints.pack_config import REQUIRED_FILES, PackConfig, PackFile
from motionrag_nodes.errors import PackInvalid, PackTooNew


@pytest.fixture
def config(tiny_pack_config):
    return replace(tiny_pack_config, files={name: PackFile("0" * 64, 1) for name in REQUIRED_FILES})


def test_json_round_trip(config, tmp_path):
    config.to_json(tmp_path / "pack.json")
    assert PackConfig.from_json(tmp_path / "pack.json") == config


def test_an_encoder_of_captions_alone_makes_it_version_2(config, tmp_path):
    captions = EncoderSpec("sentence", "encoders/captions", None, "c" * 16)
    two = replace(config, encoders={**config.encoders, "captions": captions})
    two.to_json(tmp_path / "pack.json")
    assert PackConfig.from_json(tmp_path / "pack.json") == two
    assert (config.to_dict()["version"], two.to_dict()["version"]) == (1, 2)
    wrong = {
        "captions": replace(captions, preprocessing=config.encoders["motion"].preprocessing),
        "motion": replace(config.encoders["motion"], preprocessing=None),
    }
    with pytest.raises(PackInvalid) as error:
        replace(two, encoders=two.encoders | wrong).validate()
    assert "encoders.captions.preprocessing: expected null: it reads no pixels" in str(error.value)
    assert "encoders.motion.preprocessing: expected the preprocessing of pixels" in str(error.value)
    with pytest.raises(PackInvalid, match=r"encoders\.captions\.kind: expected sentence, received 'open_clip'"):
        replace(two, encoders=two.encoders | {"captions": config.encoders["retrieval"]}).validate()


def test_the_published_preprocessing_makes_it_version_2(config, tmp_path):
    pixels = replace(config.encoders["motion"].preprocessing, version=2, shape=(1024, 576))
    motion = replace(config.encoders["motion"], preprocessing=pixels)
    two = replace(config, encoders=config.encoders | {"motion": motion})
    two.to_json(tmp_path / "pack.json")
    assert PackConfig.from_json(tmp_path / "pack.json") == two and two.version == 2
    wrong = replace(motion, preprocessing=replace(pixels, version=9, shape=(1024, 0)))
    with pytest.raises(PackInvalid) as error:
        replace(two, encoders=two.encoders | {"motion": wrong}).validate()
    assert "encoders.motion.preprocessing.version: expected one of 1, 2, received 9" in str(error.value)
    assert "encoders.motion.preprocessing.shape: expected a width and a height" in str(error.value)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("motion_resampler", "depth"),
        ("motion_resampler", "num_queries"),
        ("appearance_resampler", "dim"),
        ("appearance_resampler", "ff_mult"),
        ("context_transformer", "layers"),
        ("context_transformer", "max_positions"),
        ("context_transformer", "tokens_per_clip"),
    ],
)
def test_sizes_beyond_any_model_are_refused_before_memory_is_asked_for(config, part, name):
    values = config.to_dict()
    values[part][name] = 10**9
    with pytest.raises(PackInvalid, match=rf"{part}\.{name}: expected 1 to \d+, received 1000000000"):
        PackConfig.from_dict(values)


def test_a_table_of_positions_is_bounded_as_a_whole(config):
    values = config.to_dict()
    values["context_transformer"]["max_positions"] = 1 << 16
    values["context_transformer"]["token_dim"] = 1 << 16
    with pytest.raises(PackInvalid, match=r"max_positions: expected at most \d+ / token_dim"):
        PackConfig.from_dict(values)


@pytest.mark.parametrize("value", [10**9, 0, -1, "224", None, 1.5, True, [1]])
@pytest.mark.parametrize("name", ["crop", "resize_short_side", "frames"])
def test_pixels_beyond_any_encoder_are_refused(config, name, value):
    values = config.to_dict()
    values["encoders"]["motion"]["preprocessing"][name] = value
    with pytest.raises(
        PackInvalid, match=r"encoders\.motion\.preprocessing\.(crop|resize_short_side|frames): expected"
    ):
        PackConfig.from_dict(values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(({name: 10**9}, rf"generation\.{name}: expected at most \d+, received 1000000000")
          for name in ("frames", "steps", "width", "height", "fps", "max_guidance", "condition_fps")),
        ({"max_guidance": float("inf")}, r"generation\.max_guidance: expected at most 20, received inf"),
        ({"min_guidance": float("nan")}, r"generation\.min_guidance: expected at most 20, received nan"),
        ({"frames": 256, "width": 4096, "height": 4096}, r"expected at most 1073741824 pixels in all"),
        ({"frames": -(10**9)}, r"generation\.frames: expected at least 1"),
    ],
)  # fmt: skip
def test_a_generation_that_no_machine_could_make_is_refused(config, changes, message):
    values = config.to_dict()
    values["generation"] |= changes
    with pytest.raises(PackInvalid, match=message):
        PackConfig.from_dict(values)


def test_every_problem_is_reported_at_once(config):
    values = copy.deepcopy(config.to_dict())
    del values["references"]
    values["motion_resampler"]["depth"] = "4"
    values["motion_resampler"]["colour"] = 1
    del values["context_transformer"]["heads"]
    values["encoders"]["motion"] = {"kind": "videomae"}
    values["generation"]["steps"] = 2.5
    values["adapter"]["sites"] = {"a": "b"}
    values["files"]["motion_adapter.safetensors"] = {"sha256": 5, "size_bytes": 1}
    with pytest.raises(PackInvalid) as error:
        PackConfig.from_dict(values)
    text = str(error.value)
    assert "pack.json has 8 problems. " in text
    for part in (
        "references: missing",
        "motion_resampler.depth: expected int, received '4'",
        "motion_resampler.colour: unexpected",
        "context_transformer.heads: missing",
        "encoders.motion: expected kind, source",
        "generation.steps: expected int, received 2.5",
        "adapter.sites: expected the hidden width",
        "files.motion_adapter.safetensors.sha256: expected str",
    ):
        assert part in text


def test_every_contradiction_is_reported_at_once(config):
    broken = replace(
        config,
        name="../x",
        backbone="vhs",
        base="../base",
        references=10,
        adapter=replace(config.adapter, token_dim=31),
        motion_resampler=replace(config.motion_resampler, num_queries=4),
        context_transformer=replace(config.context_transformer, heads=3),
        generation=replace(config.generation, width=60, fps=0, min_guidance=3.0),
        encoders={
            "retrieval": replace(config.encoders["retrieval"], source="/etc"),
            "motion": config.encoders["appearance"],
            "sound": config.encoders["motion"],
        },
        files={"weights.ckpt": PackFile("x", 0)},
    )
    with pytest.raises(PackInvalid) as error:
        broken.validate(with_files=True)
    text = str(error.value)
    for part in (
        "name: expected letters",
        f"backbone: expected one of {', '.join(backbone_names())}, received 'vhs'",
        "base.source: expected a folder in the pack or a hub name, received '../base'",
        "references: expected 1 to 9, the positions' room, received 10",
        "adapter.token_dim: expected 32",
        "motion_resampler.num_queries: expected 3",
        "context_transformer.heads: 3 does not divide token_dim 32",
        "generation.width: expected a positive multiple of 8, received 60",
        "generation.fps: expected at least 1",
        "generation.max_guidance: expected at least min_guidance 3.0, received 2.0",
        "encoders.retrieval.source: expected a folder in the pack",
        "encoders.motion.kind: expected videomae, received 'dinov2'",
        "encoders.appearance: missing",
        "encoders.sound: not a role",
        "files.motion_resampler.safetensors: missing",
        "files.weights.ckpt: expected one of",
    ):
        assert part in text


def test_a_newer_format_is_refused(config):
    with pytest.raises(PackTooNew, match=r"Expected a format version up to 2, found 3 in .*: update MotionRAG"):
        PackConfig.from_dict(config.to_dict() | {"version": 3})


@pytest.mark.parametrize("values", [[], {}, {"format": "other"}])
def test_another_json_is_no_pack(values, tmp_path):
    (tmp_path / "pack.json").write_text(json.dumps(values))
    with pytest.raises(PackInvalid, match=r'Expected "format": "motionrag-pack" in .*pack.json'):
        PackConfig.from_json(tmp_path / "pack.json")


def test_a_version_that_is_no_number_is_refused(config):
    with pytest.raises(PackInvalid, match=r"Expected a version from 1 to 2 .*received 'two'"):
        PackConfig.from_dict(config.to_dict() | {"version": "two"})


def test_broken_json_is_refused(tmp_path):
    (tmp_path / "pack.json").write_text('{"format": ')
    with pytest.raises(PackInvalid, match=r"Expected a readable JSON file at .*Copy the pack again"):
        PackConfig.from_json(tmp_path / "pack.json")
