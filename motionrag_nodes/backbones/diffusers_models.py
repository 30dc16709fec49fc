"""What the pipelines of diffusers have in common: loading one from this machine, and an attention as a host."""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index_builder.border import read_regular
from index_builder.features.quiet_loading import quiet_loading
from index_builder.model_files.diffusers_settings import Components, require_diffusers_folder
from index_builder.model_files.hub_name import how_to_get
from index_builder.model_files.settings_file import MAX_BYTES
from motionrag_nodes.backbones.backbone import AttentionHost
from motionrag_nodes.errors import UnsupportedProcessor, VideoModelIncomplete, VideoModelNotFound

if TYPE_CHECKING:
    import torch
    from torch import nn

    from motionrag_nodes.backbones.settings import Settings

INDEX_FILE = "model_index.json"


def attention_host(path: str, attention: Any, processors: Collection[str], *, context: str = "") -> AttentionHost:
    """diffusers' attention at `path` as a host; `processors` names those that hand softmax(QK^T)V to to_out[0].

    By class name, since importing them all would need every attention backend.

    Raises UnsupportedProcessor: it has another processor, whose inside is unknown here.
    """
    processor = type(attention.processor).__name__
    if processor not in processors:
        raise UnsupportedProcessor(
            f"Expected one of {', '.join(sorted(processors))} at {path}, received {processor}: "
            "call set_default_attn_processor() on the model first, or fuse the LoRA into its weights."
        )
    return AttentionHost(
        width=attention.inner_dim,
        heads=attention.heads,
        output=attention.to_out[0],
        path=path,
        attention=attention if context else None,
        context=context,
    )


def load_pipeline(
    kind: type[Any],
    source: str | Path,
    *,
    dtype: torch.dtype,
    title: str,
    components: Components,
    own_settings: Sequence[str] = (),
) -> Any:
    """A pipeline of class `kind` from a local folder or, by its name (NAME or NAME@COMMIT), from the local hub cache.

    Nothing is downloaded, and only safetensors files are read. `components` lists the classes that each part may be of,
    `own_settings` the pipeline's own in model_index.json.

    Raises VideoModelNotFound: there is no such model on this machine, or it is of another kind. VideoModelIncomplete: a
    file lacks weights. ModelFilesRefused: its folder holds code, pickles, or settings outside the table of
    `components`.
    """
    folder = locate(source)
    received = pipeline_class(folder, parts=components)
    if received != kind.__name__:
        raise VideoModelNotFound(f"Expected a {kind.__name__} at {folder}, found {received}: choose a {title} model.")
    require_diffusers_folder(
        folder,
        pipeline=kind.__name__,
        components=components,
        options=own_settings,
        in_hub_cache=not Path(source).is_dir(),
    )
    try:
        with quiet_loading(), _quiet_diffusers(), warnings.catch_warnings():
            # Newer diffusers call it dtype; the older versions that users have with ComfyUI know only this name.
            warnings.filterwarnings("ignore", message=".*torch_dtype.*")
            options = {"torch_dtype": dtype, "local_files_only": True, "use_safetensors": True}
            models = {
                name: _whole_model(found, folder / name, options)
                for name in components
                if (found := _model_class(folder, name)) is not None
            }
            pipeline = kind.from_pretrained(str(folder), **models, **options)
    except (OSError, ValueError) as error:
        raise VideoModelNotFound(
            f"Expected the video model {source} as a diffusers folder with safetensors files, or in the local hub "
            f"cache, but it could not be loaded ({error}). Fetch it once: {fetch_command(source)}"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def locate(source: str | Path) -> Path:
    """The folder of a model: its own, or that of its name (NAME or NAME@COMMIT) in the local hub cache.

    Raises VideoModelNotFound: there is none on this machine.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.is_absolute() or str(source).startswith("."):
        raise VideoModelNotFound(f"Expected a folder in diffusers' layout at {source}, found none: correct the path.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    name, _, revision = str(source).partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise VideoModelNotFound(
            f"Expected the video model {source} as a diffusers folder with safetensors files, or in the local hub "
            f"cache, found neither. Fetch it once: {fetch_command(source)}"
        ) from error


def fetch_command(source: str | Path) -> str:
    """What brings a model into the hub cache by its name."""
    name, _, revision = str(source).partition("@")
    return how_to_get(name, revision or None)


def pipeline_class(folder: Path, *, parts: Collection[str]) -> str | None:
    """The class that a folder's model_index.json names.

    Raises VideoModelNotFound: there is no such file, or none that can be read.
    """
    try:
        values = json.loads(read_regular(folder / INDEX_FILE, most_bytes=MAX_BYTES).decode("utf-8"))
        found = values.get("_class_name")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise VideoModelNotFound(
            f"Expected a diffusers folder with {INDEX_FILE} at {folder}, found none: choose the folder that holds "
            f"{', '.join(parts)}."
        ) from error
    return found if isinstance(found, str) else None


def decoding_bytes(codec: Any, settings: Settings, per_pixel: float) -> int:
    """What a frame needs while it is decoded, of what it needs for each pixel in a precision of 16 bits."""
    widened = codec.dtype.itemsize == 2 and codec.config.get("force_upcast") and str(codec.dtype) == "torch.float16"
    itemsize = 4 if widened else codec.dtype.itemsize
    return int(per_pixel * settings.width * settings.height * itemsize / 2)


def _model_class(folder: Path, part: str) -> Any:
    """The class of a part that has weights, None for schedulers and the like, and for parts that a model lacks."""
    from torch import nn

    library, name = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8")).get(part) or (None, None)
    found = getattr(importlib.import_module(library), str(name)) if library else None
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def _whole_model(model_class: Any, folder: Path, options: Mapping[str, Any]) -> nn.Module:
    """A model with every weight from its files: diffusers and transformers draw what is missing and go on."""
    try:
        model, info = model_class.from_pretrained(
            str(folder), output_loading_info=True, variant=_variant(folder), **options
        )
    except (RuntimeError, NotImplementedError) as error:  # of other shapes, or left without a value
        raise _incomplete(folder, str(error).splitlines()[0][:200]) from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise _incomplete(folder, f"{len(missing)} are missing, the first is {missing[0]}")
    loaded: nn.Module = model
    return loaded


def _incomplete(folder: Path, found: str) -> VideoModelIncomplete:
    return VideoModelIncomplete(
        f"Expected every weight of the model in {folder}, but {found}: a file is cut short or of another model. Fetch "
        "the video model again."
    )


@contextmanager
def _quiet_diffusers() -> Iterator[None]:
    """Without its bars and reports, as `quiet_loading` does it for transformers."""
    from diffusers.utils import logging as diffusers_logging

    verbosity = diffusers_logging.get_verbosity()
    shown = diffusers_logging.is_progress_bar_enabled()
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(verbosity)
        if shown:
            diffusers_logging.enable_progress_bar()


def _variant(folder: Path) -> str | None:
    """ "fp16" for a model's folder that holds half-precision files only."""
    files = {path.name for path in folder.glob("*.safetensors")}
    return "fp16" if files and all(".fp16" in name for name in files) else None
