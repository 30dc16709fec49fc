"""Code and pickles are planted in every place that a loader opens; none ever runs, whatever library loads beside it."""

import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index_builder.errors import ModelFilesRefused, MotionRAGError
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER, load_pack
from motionrag_nodes.frames.video_model import load_video_model

TINY = PACKAGED_FOLDER / "tiny"
PLACES = sorted(str(path.relative_to(TINY)) for path in [TINY, *TINY.rglob("*")] if path.is_dir())
PICKLES = (
    "pytorch_model.bin", "open_clip_pytorch_model.bin", "diffusion_pytorch_model.bin", "model.pt", "model.ckpt",
    "optimizer.pth", "training_args.bin", "weights.pkl",
)  # fmt: skip
MODULES = ("modeling.py", "pipeline.py", "evil.py", "__init__.py", "hubconf.py", "tokenization.py")
BASE_PARTS = ("unet", "vae", "image_encoder", "scheduler", "feature_extractor")


class Marker:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that planted code would leave; the network is out of reach, and asking for it is an error too."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a pack's content made a library ask the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    ran = tmp_path / "ran"
    yield ran
    assert not ran.exists()


def plant(folder: Path, names: tuple[str, ...], marker: Path) -> None:
    for name in names:
        if name.endswith(".py"):
            (folder / name).write_text(f"from pathlib import Path; Path({str(marker)!r}).touch()")
        else:
            (folder / name).write_bytes(pickle.dumps(Marker(marker)))


def open_all(folder: Path) -> None:
    """Everything of a pack that is ever loaded."""
    pack = load_pack(folder)
    for name in ("retrieval_encoder", "motion_encoder", "appearance_encoder"):
        getattr(pack, name)
    load_video_model(None, pack=pack)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return shutil.copytree(TINY, tmp_path / "pack")


def test_the_copy_loads(pack: Path, marker: Path) -> None:
    open_all(pack)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("names", [PICKLES, MODULES], ids=["pickles", "modules"])
def test_in_a_pack_it_is_refused_by_name(place: str, names: tuple[str, ...], pack: Path, marker: Path) -> None:
    plant(pack / place, names, marker)
    with pytest.raises(ModelFilesRefused, match=r"found .*: (files of this kind|a model's folder holds no code)"):
        open_all(pack)


@pytest.mark.parametrize("part", ["", *BASE_PARTS])
@pytest.mark.parametrize("names", [PICKLES, MODULES], ids=["pickles", "modules"])
def test_in_a_folder_of_diffusers_it_is_refused_by_name(
    part: str, names: tuple[str, ...], tmp_path: Path, marker: Path
) -> None:
    folder = shutil.copytree(TINY / "base", tmp_path / "diffusers" / "svd")
    plant(folder / part, names, marker)
    with pytest.raises(ModelFilesRefused, match=r"found .*: (files of this kind|a model's folder holds no code)"):
        load_video_model(folder)


@pytest.mark.parametrize("part", ["", *BASE_PARTS])
def test_in_the_hub_cache_it_may_lie_and_is_not_run(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: Path
) -> None:
    repository = tmp_path / "cache" / "models--nobody--svd"
    snapshot = repository / "snapshots" / ("a" * 40)
    shutil.copytree(TINY / "base", snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    plant(snapshot / part, (*PICKLES, *MODULES), marker)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    load_video_model("nobody/svd")


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("model_index.json", {"unet": ["evil", "Evil"]}),
        ("model_index.json", {"unet": ["pipeline", "Evil"]}),
        ("model_index.json", {"_class_name": ["pipeline", "Evil"]}),
        ("model_index.json", {"custom_pipeline": "evil"}),
        ("unet/config.json", {"_class_name": "Evil", "auto_map": {"AutoModel": "evil.Evil"}}),
        ("vae/config.json", {"quantization_config": {"quant_method": "evil"}}),
        ("image_encoder/config.json", {"auto_map": {"AutoModel": "modeling.Evil"}}),
        ("image_encoder/config.json", {"_attn_implementation": "nobody/kernel"}),
        ("feature_extractor/preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "evil.Evil"}}),
        ("scheduler/scheduler_config.json", {"_class_name": "Evil"}),
    ],
)
def test_settings_that_name_it_are_refused(file: str, values: dict[str, Any], tmp_path: Path, marker: Path) -> None:
    folder = shutil.copytree(TINY / "base", tmp_path / "svd")
    plant(folder, MODULES, marker)
    for path in folder.glob("*.py"):  # beside the process, where an import would find it
        path.rename(tmp_path / path.name)
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    with pytest.raises(MotionRAGError, match="Expected"):
        load_video_model(folder)


@pytest.mark.parametrize("name", ["svd", "cogvideox"])
def test_every_backbone_loads_only_what_its_table_names(name: str, tmp_path: Path, marker: Path) -> None:
    """A folder of the right class, whose parts are someone else's."""
    backbone = get_backbone(name)
    index = {"_class_name": backbone.pipelines[0], **{part: ["evil", "Evil"] for part in backbone.parts}}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    plant(tmp_path, MODULES, marker)
    with pytest.raises(ModelFilesRefused):
        load_video_model(tmp_path)
    for path in tmp_path.glob("*.py"):
        path.unlink()
    with pytest.raises(ModelFilesRefused, match=r"to be .*, received 'evil\.Evil'"):
        load_video_model(tmp_path)


def test_a_pack_whose_encoder_reaches_for_remote_code_runs_none(pack: Path, marker: Path) -> None:
    path = pack / "encoders" / "retrieval" / "open_clip_config.json"
    settings = json.loads(path.read_text())
    settings["model_cfg"]["text_cfg"] |= {
        "hf_tokenizer_name": "nobody/evil",
        "tokenizer_kwargs": {"trust_remote_code": True},
    }
    path.write_text(json.dumps(settings))
    config = json.loads((pack / "pack.json").read_text())
    from index_builder.features.encoders import EncoderSpec, fingerprint_encoder

    spec = EncoderSpec.from_dict(config["encoders"]["retrieval"])
    made = fingerprint_encoder(spec.kind, pack / spec.source, spec.preprocessing)
    config["encoders"]["retrieval"]["fingerprint"] = made
    (pack / "pack.json").write_text(json.dumps(config))
    opened = load_pack(pack)
    with pytest.raises(ModelFilesRefused, match="found hf_tokenizer_name, tokenizer_kwargs"):
        _ = opened.retrieval_encoder


def test_nothing_planted_in_a_database_is_run(tmp_path: Path, marker: Path) -> None:
    from index_builder.database.search.reader import MotionDatabase

    stored = Path(__file__).resolve().parents[2] / "golden" / "database_v1"
    folder = shutil.copytree(stored, tmp_path / "database")
    for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        plant(place, (*PICKLES, *MODULES, "rows.pkl", "tokens.bin"), marker)
    opened = MotionDatabase.open(folder)
    ids = list(opened.ids())
    assert len(opened.rows(ids)) == len(ids) > 0
    opened.tokens(ids, fingerprint=opened.tokens_fingerprints[0])
    for field in ("text", "frame"):
        opened.search(opened.embeddings(ids[:1], field)[0], field=field, k=2)
