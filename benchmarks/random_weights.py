"""Everything that was published for a backbone, with random weights: a hub cache that holds the same files at the same
sizes, in the same formats and precisions, so that the whole way from them can be run without the real ones.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from motionrag_nodes.backbones.backbone import Backbone
from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.backbones.published import FILE_NAMES, KeyRule
from motionrag_nodes.checkpoints.convert import START_TOKEN, part_shapes
from motionrag_nodes.checkpoints.key_tables import keys_of
from motionrag_nodes.checkpoints.published import ENCODER_SOURCES, key_table, published_config, published_facts
from motionrag_nodes.fetch.hub import Hub
from motionrag_nodes.fetch.make_pack import sources_of

Shapes = Mapping[str, tuple[int, ...]]
INDEX, SENTENCE_PIECES = ".safetensors.index.json", "spiece.model"


def write_hub_cache(backbone: Backbone, hub: Hub) -> int:
    """Every repository that the backbone needs, at the pinned commits; returns the bytes written.

    Raises BackboneUnknown, CheckpointInvalid when nothing was published.
    """
    torch.manual_seed(0)
    published = published_facts(backbone.name)
    wanted = {source.repo for source in sources_of(backbone.name)}
    writers = {"retrieval": _retrieval_encoder, "motion": _motion_encoder, "appearance": _appearance_encoder}
    for role, write in writers.items():
        source = ENCODER_SOURCES[role]
        if source.repo in wanted:
            write(source, _folder(hub, source))
    _base_model(backbone, published.base, _folder(hub, published.base))
    _method_weights(backbone, published.weights, _folder(hub, published.weights))
    return sum(path.stat().st_size for path in hub.cache_folder.rglob("*") if path.is_file())


def random_tensor(key: str, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
    """As layers are initialised: matrices keep the size of what they multiply, norms are 1, biases 0."""
    if len(shape) < 2:
        return torch.full(tuple(shape), float(key.endswith(("weight", "gamma"))), dtype=dtype)
    scale = math.sqrt(3 / math.prod(shape[1:])) / 2
    drawn, made = _block() * scale, torch.empty(math.prod(shape), dtype=dtype)
    for part in made.split(len(drawn)):
        part.copy_(drawn[: len(part)])
    return made.view(*shape)


@cache
def _block() -> torch.Tensor:
    """Drawn once and repeated: ten thousand million numbers take minutes, and no layer minds."""
    return torch.empty((1 << 22) - 3).uniform_(-1, 1)


def _folder(hub: Hub, source: HubSource) -> Path:
    folder = hub.snapshot(source.repo, source.revision)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def _drawn(shapes: Shapes, keys: Iterable[str], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    return {key: random_tensor(key, shapes[key], dtype) for key in keys}


def _base_model(backbone: Backbone, source: HubSource, folder: Path) -> None:
    """The pipeline's settings and its models' weights in the files that the source names, one file in memory at a
    time."""
    pipeline = next(iter(backbone.published_sizes.values()))()
    for name, part in pipeline.components.items():
        (folder / name).mkdir(exist_ok=True)
        if hasattr(part, "save_config"):
            part.save_config(folder / name)
        else:
            getattr(part, "config", part).save_pretrained(folder / name)
        files = [file for file in source.files if file.startswith(f"{name}/") and file.endswith(".safetensors")]
        if files:
            _weights(_shapes(part), files, folder)
        if f"{name}/{SENTENCE_PIECES}" in source.files:
            _tokenizer(folder / name)
    pipeline.save_config(folder)
    missing = [file for file in source.files if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(f"{', '.join(missing)} of {source.repo} are not written here")


def _tokenizer(folder: Path) -> None:
    """A small one in T5's published form, instead of the library's own that stands there."""
    import sentencepiece

    for path in folder.iterdir():
        path.unlink()
    model, words = io.BytesIO(), ("a ball rolls over the grass", "the quick brown fox jumps over the lazy dog")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words), model_writer=model, vocab_size=32, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        minloglevel=2,
    )  # fmt: skip
    (folder / SENTENCE_PIECES).write_bytes(model.getvalue())
    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    for name, values in {
        "added_tokens.json": {},
        "special_tokens_map.json": special,
        "tokenizer_config.json": {**special, "tokenizer_class": "T5Tokenizer", "extra_ids": 0},
    }.items():
        (folder / name).write_text(json.dumps(values), encoding="utf-8")


def _weights(shapes: Shapes, files: Sequence[str], folder: Path) -> None:
    """The keys over the files evenly, as half precision where their names say so, else as bfloat16."""
    keys, share, places = list(shapes), math.ceil(len(shapes) / len(files)), {}
    for number, file in enumerate(files):
        own = keys[number * share : (number + 1) * share]
        dtype = torch.float16 if ".fp16." in file else torch.bfloat16
        save_file(_drawn(shapes, own, dtype), folder / file, metadata={"format": "pt"})
        places.update(dict.fromkeys(own, Path(file).name))
    if len(files) > 1:
        index = folder / (files[0].rsplit("-", 3)[0] + INDEX)
        index.write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")


def _method_weights(backbone: Backbone, source: HubSource, folder: Path) -> None:
    """bfloat16 in torch's own format, beside the optimizer's entries, as the authors' trainer saves them."""
    config = published_config(backbone.name, name=backbone.name)
    parts, files = part_shapes(config), _by_role(key_table(backbone.name))
    published = published_facts(backbone.name)
    for role, rules in files.items():
        state = {}
        for rule in rules:
            ours = keys_of(rule, parts[rule.part])
            state |= {
                theirs: random_tensor(theirs, parts[rule.part][key], torch.bfloat16)
                for theirs, key in ours.items()
                if not rule.copy and theirs != START_TOKEN
            }
        path = folder / str(published.file_of(role))
        path.parent.mkdir(parents=True, exist_ok=True)
        flat = path.name == FILE_NAMES["motion_proj"]
        trained = {"state_dict": state, "optimizer_states": [{"state": {}}], "loops": {"fit_loop": {}}, "epoch": 1}
        torch.save(state if flat else trained, path)


def _by_role(table: Sequence[KeyRule]) -> dict[str, list[KeyRule]]:
    return {role: [rule for rule in table if rule.file == role] for role in dict.fromkeys(rule.file for rule in table)}


def _settings(config: Any, folder: Path) -> None:
    config.save_pretrained(folder)


def _motion_encoder(source: HubSource, folder: Path) -> None:
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    config = VideoMAEConfig(num_labels=174)
    with torch.device("meta"):
        shapes = _shapes(VideoMAEForVideoClassification(config))
    _settings(config, folder)
    torch.save(_drawn(shapes, shapes, torch.float32), folder / source.files[-1])


def _appearance_encoder(source: HubSource, folder: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, image_size=518, patch_size=14)
    with torch.device("meta"):
        shapes = _shapes(Dinov2Model(config))
    _settings(config, folder)
    save_file(_drawn(shapes, shapes, torch.float32), folder / source.files[-1], metadata={"format": "pt"})


def _retrieval_encoder(source: HubSource, folder: Path) -> None:
    import open_clip

    config = {
        "embed_dim": 512,
        "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
    }
    with torch.device("meta"):
        shapes = _shapes(open_clip.CLIP(**config))
    (folder / source.files[0]).write_text(json.dumps({"model_cfg": config}), encoding="utf-8")
    save_file(_drawn(shapes, shapes, torch.float32), folder / source.files[1], metadata={"format": "pt"})
