"""A tokenizer.json may hold the regular expressions of published tokenizers only."""

import json
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.tokenizer_patterns import KNOWN_PATTERNS
from index_builder.model_files.transformers_settings import require_tokenizer_settings

ENDLESS = "(a+)+$"
PLACES = ["normalizer", "pre_tokenizer", "decoder"]


def write(folder: Path, place: str, pattern: str, *, nested: bool = False) -> None:
    """A tokenizer.json as the library itself saves it."""
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    parts = {
        "normalizer": (normalizers.Replace, normalizers.Sequence),
        "pre_tokenizer": (lambda regex, _: pre_tokenizers.Split(regex, "isolated"), pre_tokenizers.Sequence),
        "decoder": (decoders.Replace, decoders.Sequence),
    }
    part, sequence = parts[place]
    made = part(Regex(pattern), " ")
    setattr(tokenizer, place, sequence([made]) if nested else made)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_a_pattern_outside_the_table_is_named(tmp_path: Path, place: str, nested: bool) -> None:
    write(tmp_path, place, r"\s+", nested=nested)
    require_tokenizer_settings(tmp_path)
    write(tmp_path, place, ENDLESS, nested=nested)
    with pytest.raises(ModelFilesRefused, match=r"regular expressions of published tokenizers .*, found '\(a\+\)\+\$'"):
        require_tokenizer_settings(tmp_path)


@pytest.mark.parametrize("odd", [None, 3, [ENDLESS], {"Regex": ENDLESS}])
def test_a_pattern_is_a_text(tmp_path: Path, odd: object) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"normalizer": {"pattern": {"Regex": odd}}}))
    with pytest.raises(ModelFilesRefused, match="found"):
        require_tokenizer_settings(tmp_path)


@pytest.mark.parametrize("pattern", sorted(KNOWN_PATTERNS))
def test_the_known_patterns_end(pattern: str) -> None:
    """Over texts that lead such patterns on: each would panic if one place cost the library its ten million steps."""
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    for text in ("a" * 5000, " " * 5000 + "x", "\n " * 2500, "'" * 5000, "1" * 5000, "é☃" * 2000):
        assert split.pre_tokenize_str(text)
