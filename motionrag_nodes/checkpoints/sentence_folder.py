"""A sentence encoder of the user's own, copied into a pack: the authors' gte-base-en-v1.5 comes in this way only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from index_builder.errors import EncoderCodeRefused, EncoderNotFound
from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.sentence_encoder import ALLOWED_CODE, KIND, MODULES_FILE, brings_code
from index_builder.model_files.folder import require_plain_folder
from motionrag_nodes.checkpoints.pack_config import PackConfig

SOURCE = "encoders/captions"


def with_sentence_encoder(
    config: PackConfig, folder: Path, *, allow_code: bool = False
) -> tuple[PackConfig, dict[str, Path]]:
    """The configuration with the model in `folder` for captions, and what `write_pack` has to copy.

    Raises EncoderNotFound: the folder holds no sentence-transformers model. EncoderCodeRefused: it brings Python code,
    and `allow_code` does not say that it may. ModelFilesRefused: it holds pickles, or links that lead out of it.
    """
    if not (folder / MODULES_FILE).is_file():
        raise EncoderNotFound(
            f"Expected a sentence-transformers model with {MODULES_FILE} in {folder}, found none: name the folder that "
            "`hf download NAME --local-dir FOLDER` made."
        )
    code = brings_code(folder)
    if code and not allow_code:
        raise EncoderCodeRefused(
            f"Expected a sentence encoder without code of its own, but the one in {folder} runs {', '.join(code)}, "
            "which could do anything on this machine. If you have read it and trust it, add --allow-encoder-code."
        )
    require_plain_folder(folder, code_allowed=allow_code)
    spec = EncoderSpec(KIND, SOURCE, None, fingerprint_encoder(KIND, folder, None))
    return replace(config, encoders={**config.encoders, "captions": spec}), {SOURCE: folder}


def allowing_command(config: PackConfig) -> str:
    """What lets a pack's sentence encoder run its code, for people."""
    return f"export {ALLOWED_CODE}={config.encoders['captions'].fingerprint}"
