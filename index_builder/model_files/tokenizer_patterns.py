"""Regular expressions in a tokenizer.json: those that published tokenizers use, and no other.

tokenizers (https://github.com/huggingface/tokenizers) runs them over every text. A crafted one, such as (a+)+$, takes
over a second for each place in a text, and then ends in a panic of Rust that no `except Exception` sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from index_builder.errors import ModelFilesRefused

KNOWN_PATTERNS = frozenset(
    {
        # CLIP
        r"\s+",
        r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
        # T5 and others of SentencePiece: ALBERT, CamemBERT, DeBERTa, mT5, XLM-RoBERTa
        " {2,}",
        r"\s{2,}|[\n\r\t]",
        # GPT-2 and RoBERTa where it is written out
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        # Llama 3
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+",
        # Qwen 2 and 3, and 3.5
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+",
    }
)
_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


def require_known_patterns(path: Path, values: Mapping[str, Any]) -> None:
    """Check every regular expression in the content of a tokenizer.json, which lies at `path`.

    Raises ModelFilesRefused: names the first one that is not in the table.
    """
    for pattern in _patterns([values.get(part) for part in _PARTS]):
        if not isinstance(pattern, str) or pattern not in KNOWN_PATTERNS:
            raise ModelFilesRefused(
                f"Expected only regular expressions of published tokenizers in {path}, found {str(pattern)[:80]!r}: a "
                "crafted one may run without end. Choose another model, or report the pattern if a published one uses "
                "it."
            )


def _patterns(values: Any) -> Iterator[Any]:
    waiting = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            # The only place of a regular expression in the format: {"pattern": {"Regex": ...}}.
            yield from (inner for key, inner in value.items() if key == "Regex")
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
