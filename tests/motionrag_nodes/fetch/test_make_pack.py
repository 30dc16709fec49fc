"""A whole fetch of small published files: plan, download, pack, and the command that does all of it."""

import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from packaging.version import Version
from transformers import Dinov2Config, Dinov2Model, VideoMAEConfig, VideoMAEForVideoClassification
from typer.testing import CliRunner

from index_builder.errors import EncoderNotFound
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.checkpoints.pack import build_modules, load_pack
from motionrag_nodes.checkpoints.published import ENCODER_SOURCES, encoder_spec, published_backbones, published_facts
from motionrag_nodes.checkpoints.unpickle import SAFE_TORCH
from motionrag_nodes.cli.main import app
from motionrag_nodes.errors import PackInvalid
from motionrag_nodes.fetch.download import download
from motionrag_nodes.fetch.hub import Hub
from motionrag_nodes.fetch.make_pack import make_pack, sources_of
from motionrag_nodes.fetch.plan import plan_fetch
from tests.motionrag_nodes.fetch.hub_server import HubServer, Repository

pytestmark = pytest.mark.skipif(
    Version(torch.__version__) < Version(SAFE_TORCH), reason="this torch is refused any checkpoint"
)
SIZES = {"image_size": 32, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 16}


def pickled(state: dict) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.fixture
def small_config(tiny_pack_config):
    """The tiny pack's sizes with the published encoders and base of SVD."""
    published = published_facts("svd")
    return replace(
        tiny_pack_config,
        name="svd",
        encoders={role: encoder_spec(role, published) for role in ENCODER_SOURCES},
        base=published.base.repo,
        base_revision=published.base.revision,
    )


@pytest.fixture
def published_hub(server: HubServer, small_config, tmp_path: Path) -> HubServer:
    """All repositories that SVD needs at their pinned commits: right names, small models."""
    torch.manual_seed(0)
    states = [module.state_dict() for module in build_modules(small_config)]
    states[1] = {key: value for key, value in states[1].items() if key != "sos_token"}
    video = VideoMAEForVideoClassification(VideoMAEConfig(**SIZES, intermediate_size=16, use_mean_pooling=False))
    video.save_pretrained(tmp_path / "video", safe_serialization=True)
    Dinov2Model(Dinov2Config(**SIZES, mlp_ratio=1)).save_pretrained(tmp_path / "image")
    contents = {
        "motion_proj.ckpt": pickled(states[0]),
        "motion_transformer.ckpt": pickled({"state_dict": states[1], "epoch": 3}),
        "Motion-Adapter.ckpt": pickled({"state_dict": states[2]}),
    }
    for source in sources_of("svd"):
        files = {name: contents.get(name.rsplit("/", 1)[-1], b"{}") for name in source.files}
        # What is not needed must not be downloaded.
        server.repositories[source.repo] = Repository(source.revision, files | {"unwanted.bin": b"x" * 5000})
    motion = server.repositories[ENCODER_SOURCES["motion"].repo].files
    motion["config.json"] = (tmp_path / "video" / "config.json").read_bytes()
    motion["pytorch_model.bin"] = pickled(video.state_dict())
    appearance = server.repositories[ENCODER_SOURCES["appearance"].repo].files
    appearance |= {path.name: path.read_bytes() for path in (tmp_path / "image").iterdir()}
    return server


def test_a_fetched_pack_loads_and_names_its_commits(
    published_hub, hub: Hub, small_config, tmp_path, monkeypatch
) -> None:
    plan = plan_fetch(sources_of("svd"), hub)
    download(plan, hub)
    assert "unwanted.bin" not in published_hub.sent_bytes
    made = make_pack("svd", plan, hub, tmp_path / "packs" / "svd", config=small_config)
    assert made.derived_start_token and not list((tmp_path / "packs").glob(".fetch-*"))
    pack = load_pack(tmp_path / "packs" / "svd")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub.cache_folder))
    clip = torch.zeros(1, 16, 3, 32, 32)
    # It came as a pickle, and lies in the pack as safetensors; the other lies in the hub's cache at its commit.
    assert (pack.folder / "encoders" / "motion" / "model.safetensors").is_file()
    assert pack.motion_encoder.encode_prepared(clip).shape == (1, 32, 16)
    pinned = ENCODER_SOURCES["appearance"]
    assert pack.config.encoders["appearance"].revision == pinned.revision
    assert pack.appearance_encoder.model.config.hidden_size == 16
    assert pack.base_source == f"{small_config.base}@{small_config.base_revision}"
    assert get_backbone("svd").published.base.revision == small_config.base_revision


def test_another_commit_in_the_cache_is_not_taken_for_it(
    published_hub, hub, small_config, tmp_path, monkeypatch
) -> None:
    plan = plan_fetch(sources_of("svd"), hub)
    download(plan, hub)
    make_pack("svd", plan, hub, tmp_path / "svd", config=small_config)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub.cache_folder))
    appearance = ENCODER_SOURCES["appearance"]
    hub.snapshot(appearance.repo, appearance.revision).rename(hub.snapshot(appearance.repo, "b" * 40))
    with pytest.raises(EncoderNotFound, match=f"hf download facebook/dinov2-large --revision {appearance.revision}"):
        _ = load_pack(tmp_path / "svd").appearance_encoder


def test_the_newest_commits_are_recorded(published_hub, hub, small_config, tmp_path) -> None:
    for repository in published_hub.repositories.values():
        repository.commit = "c" * 40
    plan = plan_fetch(sources_of("svd"), hub, latest=True)
    download(plan, hub)
    config = make_pack("svd", plan, hub, tmp_path / "svd", config=small_config).config
    assert config.base_revision == config.encoders["appearance"].revision == "c" * 40
    pinned = small_config.encoders["appearance"]
    assert config.encoders["appearance"].fingerprint != pinned.fingerprint


@pytest.fixture
def run(published_hub, hub, small_config, tmp_path, monkeypatch):
    """The command, against the small hub."""
    monkeypatch.setattr("motionrag_nodes.fetch.hub.Hub", partial(Hub, endpoint=hub.endpoint))
    monkeypatch.setattr("motionrag_nodes.fetch.make_pack.published_config", lambda *_, **__: small_config)
    monkeypatch.setattr("motionrag_nodes.fetch.plan.SPARE_BYTES", 0)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str):
        return CliRunner().invoke(app, ["fetch", "svd", "--cache", str(hub.cache_folder), *arguments])

    return invoke


def test_the_command_shows_fetches_and_says_what_to_do_next(run, published_hub, tmp_path) -> None:
    shown = run("--dry-run")
    assert shown.exit_code == 0 and not published_hub.sent_bytes
    text = " ".join(shown.stdout.split())
    for part in ("apache-2.0", "motion weights", "base model", "in all, into", "Nothing was downloaded"):
        assert part in text
    made = run()
    assert made.exit_code == 0, made.exception
    assert "motionrag index build FOLDER --output DATABASE --pack models/motionrag/svd" in made.stdout
    assert load_pack(tmp_path / "models" / "motionrag" / "svd").name == "svd"
    again = run()
    assert isinstance(again.exception, PackInvalid) and "replace it with --overwrite" in str(again.exception)
    sent = published_hub.sent_bytes.copy()
    assert run("--overwrite").exit_code == 0 and published_hub.sent_bytes == sent
    assert "here already" in run("--dry-run").stdout


def test_a_backbone_without_published_weights_is_refused() -> None:
    found = CliRunner().invoke(app, ["fetch", "vhs"])
    assert "Expected a backbone of" in str(found.exception) and "'vhs'" in str(found.exception)


@pytest.mark.parametrize("backbone", published_backbones())
def test_every_source_is_pinned_and_names_files_once(backbone: str) -> None:
    sources = sources_of(backbone)
    assert len({source.repo for source in sources}) == len(sources)
    for source in sources:
        assert len(source.revision) == 40 and int(source.revision, 16)
        assert len(set(source.files)) == len(source.files) and source.licence and source.purpose
    names = [name for source in sources for name in source.files]
    assert not [name for name in names if name.endswith((".pt", ".msgpack", ".h5", ".onnx"))]
    # Half precision only, and no file that holds the same weights again.
    base = sources[-1]
    folders = [name.rsplit("/", 1)[0] for name in base.files if name.endswith((".safetensors", ".bin", ".ckpt"))]
    parts = [name for name in base.files if "-of-" in name]
    assert len(set(folders)) == len(folders) - len(parts) + len({name.rsplit("/", 1)[0] for name in parts})


def test_settings_of_the_pack_are_readable_json(published_hub, hub, small_config, tmp_path) -> None:
    plan = plan_fetch(sources_of("svd"), hub)
    download(plan, hub)
    make_pack("svd", plan, hub, tmp_path / "svd", config=small_config)
    values = json.loads((tmp_path / "svd" / "pack.json").read_text())
    assert values["version"] == 2 and values["base"]["revision"] == small_config.base_revision
    assert (
        values["encoders"]["motion"]["source"] == "encoders/motion" and "revision" not in values["encoders"]["motion"]
    )
