"""The encoders load from a pack's folder, refuse what is not there, and tell apart weights and preprocessing."""

import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Dinov2Config, Dinov2Model, VideoMAEConfig, VideoMAEModel

from index_builder.errors import EncoderIncomplete, ModelFilesRefused
from index_builder.features.dinov2_encoder import load_appearance_encoder
from index_builder.features.encoder_kinds import KINDS, OPTIONAL_ROLES, REQUIRED_ROLES, kinds_of
from index_builder.features.encoders import EncoderNotFound, EncoderSpec, fingerprint_encoder
from index_builder.features.open_clip_encoder import load_retrieval_encoder
from index_builder.features.preprocessing import Preprocessing
from index_builder.features.videomae_encoder import load_motion_encoder

PIXELS = Preprocessing(16, 16, "bilinear", (0.5,) * 3, (0.5,) * 3, frames=4)
PACKAGED = Path(__file__).resolve().parents[3] / "motionrag_nodes" / "packs" / "tiny" / "encoders"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack's folder with a motion and an appearance encoder of fixed random weights."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("pack")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 8}
    VideoMAEModel(VideoMAEConfig(**sizes, num_frames=4, intermediate_size=16)).save_pretrained(root / "motion")
    Dinov2Model(Dinov2Config(**sizes, mlp_ratio=1)).save_pretrained(root / "appearance")
    return root


def spec(kind: str, source: str) -> EncoderSpec:
    return EncoderSpec(kind, source, PIXELS, "0" * 16)


def test_motion_features_have_a_row_for_each_tube(folder: Path) -> None:
    encoder = load_motion_encoder(spec("videomae", "motion"), folder=folder)
    clips = RNG.integers(0, 255, (2, 9, 20, 30, 3), dtype=np.uint8)
    features = encoder.encode(clips)
    assert features.shape == (2, 2 * 2 * 2, 16)
    # each clip by itself gives what the batch gave
    assert torch.allclose(encoder.encode(clips[1:]), features[1:], atol=1e-5)


def test_appearance_features_have_cls_and_patches(folder: Path) -> None:
    encoder = load_appearance_encoder(spec("dinov2", "appearance"), folder=folder)
    frames = RNG.integers(0, 255, (3, 24, 16, 3), dtype=np.uint8)
    assert encoder.encode(frames).shape == (3, 1 + 4, 16)


@pytest.mark.parametrize(
    ("load", "kind"),
    [(load_motion_encoder, "videomae"), (load_appearance_encoder, "dinov2"), (load_retrieval_encoder, "open_clip")],
)
def test_missing_encoder_is_named(load, kind: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderNotFound, match=f"Expected the {kind} encoder nobody/nothing .*hf download"):
        load(spec(kind, "nobody/nothing"), folder=tmp_path)


def test_a_retrieval_encoder_without_weights_is_named(tmp_path: Path) -> None:
    shutil.copytree(PACKAGED / "retrieval", tmp_path / "retrieval")
    next((tmp_path / "retrieval").glob("*.safetensors")).unlink()
    with pytest.raises(EncoderNotFound, match=r"0 \.safetensors files"):
        load_retrieval_encoder(spec("open_clip", "retrieval"), folder=tmp_path)


LOADERS = {
    "motion": (load_motion_encoder, "videomae"),
    "appearance": (load_appearance_encoder, "dinov2"),
    "retrieval": (load_retrieval_encoder, "open_clip"),
}


class Marker:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("role", LOADERS)
@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "open_clip_pytorch_model.bin", "model.ckpt", "model.PT", "deep/er/weights.pth"]
)
def test_a_pickle_anywhere_is_refused_by_name_and_not_run(role: str, name: str, tmp_path: Path) -> None:
    load, kind = LOADERS[role]
    planted = shutil.copytree(PACKAGED / role, tmp_path / role) / name
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_bytes(pickle.dumps(Marker(tmp_path / "ran")))
    with pytest.raises(ModelFilesRefused, match=re.escape(name)):
        load(spec(kind, role), folder=tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("role", LOADERS)
@pytest.mark.parametrize("beside", [True, False], ids=["beside safetensors", "instead of safetensors"])
def test_in_the_hub_cache_pickles_and_code_may_lie_but_are_not_run(
    role: str, beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, kind = LOADERS[role]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = hub_snapshot(tmp_path, "nobody/model", PACKAGED / role)
    mark = f"from pathlib import Path; Path({str(tmp_path / 'ran')!r}).touch()"
    for name in ("pytorch_model.bin", "open_clip_pytorch_model.bin", "model.ckpt"):
        (snapshot / name).write_bytes(pickle.dumps(Marker(tmp_path / "ran")))
    for name in ("modeling.py", "configuration.py", "__init__.py"):
        (snapshot / name).write_text(mark)
    if beside:
        load(spec(kind, "nobody/model"), folder=tmp_path)
    else:
        for path in snapshot.glob("*.safetensors"):
            path.unlink()
        with pytest.raises((EncoderNotFound, ModelFilesRefused)):
            load(spec(kind, "nobody/model"), folder=tmp_path)
    assert not (tmp_path / "ran").exists()


def hub_snapshot(cache: Path, name: str, source: Path) -> Path:
    """A model as the hub's cache keeps it: links to blobs."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / ("a" * 40)
    for folder in (repository / "blobs", repository / "refs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    for number, path in enumerate(sorted(source.iterdir())):
        shutil.copyfile(path, repository / "blobs" / str(number))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(number))
    return snapshot


@pytest.mark.parametrize(("role", "size"), [("motion", "intermediate_size"), ("appearance", "mlp_ratio")])
def test_settings_larger_than_the_weights_are_refused_before_memory_is_asked_for(
    role: str, size: str, tmp_path: Path
) -> None:
    load, kind = LOADERS[role]
    path = shutil.copytree(PACKAGED / role, tmp_path / role) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), size: 90_000}))
    with pytest.raises(ModelFilesRefused, match=r"fit its .* stored numbers"):
        load(spec(kind, role), folder=tmp_path)


def test_an_open_clip_model_larger_than_its_weights_is_refused(tmp_path: Path) -> None:
    path = shutil.copytree(PACKAGED / "retrieval", tmp_path / "retrieval") / "open_clip_config.json"
    settings = json.loads(path.read_text())
    settings["model_cfg"]["text_cfg"]["vocab_size"] = 9_000_000
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelFilesRefused, match=r"fit its .* stored numbers"):
        load_retrieval_encoder(spec("open_clip", "retrieval"), folder=tmp_path)


@pytest.mark.parametrize("role", LOADERS)
def test_a_file_that_lacks_weights_or_has_others_is_an_error(role: str, tmp_path: Path) -> None:
    load, kind = LOADERS[role]
    path = next(shutil.copytree(PACKAGED / role, tmp_path / role).glob("*.safetensors"))
    whole = load_file(path)
    for missing in (sorted(whole)[0], sorted(whole)[-1]):
        save_file({key: value for key, value in whole.items() if key != missing}, path, metadata={"format": "pt"})
        with pytest.raises((EncoderIncomplete, ModelFilesRefused), match=rf"(?s)Expected .*{re.escape(missing)}"):
            load(spec(kind, role), folder=tmp_path)
    wider = {key: torch.cat([value, value]) if key == sorted(whole)[0] else value for key, value in whole.items()}
    save_file(wider, path, metadata={"format": "pt"})
    with pytest.raises((EncoderIncomplete, ModelFilesRefused), match="Expected "):
        load(spec(kind, role), folder=tmp_path)


def test_weights_on_top_of_what_is_needed_are_no_error_and_no_report(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "motion", tmp_path / "motion")
    path = tmp_path / "motion" / "model.safetensors"
    save_file(load_file(path) | {"classifier.weight": torch.ones(3)}, path, metadata={"format": "pt"})
    capfd.readouterr()
    load_motion_encoder(spec("videomae", "motion"), folder=tmp_path)
    assert capfd.readouterr() == ("", "")


def test_fingerprint_covers_every_file_but_hidden_ones(tmp_path: Path) -> None:
    folder = shutil.copytree(PACKAGED / "motion", tmp_path / "motion")
    before = fingerprint_encoder("videomae", folder, PIXELS)
    (folder / ".DS_Store").write_bytes(b"a file manager was here")
    assert fingerprint_encoder("videomae", folder, PIXELS) == before
    (folder / "vocab.txt").write_text("words")
    assert fingerprint_encoder("videomae", folder, PIXELS) != before


def test_kind_must_fit(folder: Path) -> None:
    with pytest.raises(EncoderNotFound, match="Expected an encoder of kind videomae, received dinov2"):
        load_motion_encoder(spec("dinov2", "motion"), folder=folder)


def test_fingerprint_changes_with_weights_and_preprocessing(folder: Path) -> None:
    motion = fingerprint_encoder("videomae", folder / "motion", PIXELS)
    assert motion == fingerprint_encoder("videomae", folder / "motion", PIXELS)
    assert motion != fingerprint_encoder("videomae", folder / "motion", replace(PIXELS, crop=8))
    assert motion != fingerprint_encoder("videomae", folder / "appearance", PIXELS)


def test_spec_survives_json() -> None:
    made = spec("dinov2", "encoders/appearance")
    assert EncoderSpec.from_dict(made.to_dict()) == made


def test_every_kind_has_a_role_and_every_role_a_kind() -> None:
    assert {kind.role for kind in KINDS.values()} == {*REQUIRED_ROLES, *OPTIONAL_ROLES}
    assert kinds_of("motion") == ["videomae"]
    assert kinds_of("sound") == []
