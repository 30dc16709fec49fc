"""Stored tokens: exact values by row, and a header that must say exactly what the manifest says."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from index_builder.database.format.tokens import StoredTokens, TokensFile, encode_tokens, tokens_file_name
from index_builder.errors import DatabaseDamaged

SHAPE = (5, 3, 4)
VALUES = StoredTokens(*np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float16))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def tokens_path(tmp_path: Path) -> Path:
    return write(tmp_path / "t.safetensors", encode_tokens(VALUES, fingerprint="f"))


def test_rows_come_back_in_the_asked_order(tokens_path: Path) -> None:
    picked = TokensFile(tokens_path, shape=SHAPE, fingerprint="f").rows([4, 0, 4])
    assert np.array_equal(picked.motion_tokens, VALUES.motion_tokens[[4, 0, 4]])
    assert np.array_equal(picked.appearance_tokens, VALUES.appearance_tokens[[4, 0, 4]])


def test_the_file_is_plain_safetensors(tokens_path: Path) -> None:
    assert np.array_equal(load_file(tokens_path)["motion_tokens"], VALUES.motion_tokens)


@pytest.mark.parametrize(("shape", "fingerprint"), [((4, 3, 4), "f"), ((5, 4, 3), "f"), (SHAPE, "g")])
def test_other_sizes_or_fingerprints_are_damage(tokens_path: Path, shape: tuple, fingerprint: str) -> None:
    with pytest.raises(DatabaseDamaged, match="Expected sound tokens"):
        TokensFile(tokens_path, shape=shape, fingerprint=fingerprint)


def with_header(header: object, body: bytes = b"\x00" * 240) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(start: int, end: int, **changes) -> dict:
    return {"dtype": "F16", "shape": list(SHAPE), "data_offsets": [start, end], **changes}


def header(**changes) -> dict:
    whole = {"__metadata__": {"fingerprint": "f"}, "motion_tokens": entry(0, 120), "appearance_tokens": entry(120, 240)}
    return {**whole, **changes}


def test_the_handwritten_header_is_accepted_as_it_stands(tmp_path: Path) -> None:
    TokensFile(write(tmp_path / "t", with_header(header())), shape=SHAPE, fingerprint="f")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x05",
        (1 << 62).to_bytes(8, "little") + b"{}",
        (1 << 20).to_bytes(8, "little") + b" " * (1 << 20),
        with_header(b"not json"),
        with_header([1]),
        with_header({}),
        with_header(header(motion_tokens=entry(0, 10**15))),
        with_header(header(motion_tokens=entry(-120, 0))),
        with_header(header(motion_tokens=entry(120, 240))),
        with_header(header(motion_tokens=entry(0, 120, dtype="F32"))),
        with_header(header(motion_tokens=entry(0, 120, shape=[10**9, 10**9]))),
        with_header(header(extra=entry(0, 120))),
        with_header(header(), body=b"\x00" * 239),
        with_header(header(), body=b"\x00" * 300),
        save({"motion_tokens": VALUES.motion_tokens}, metadata={"fingerprint": "f"}),
    ],
)
def test_hostile_and_torn_headers_are_damage(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatabaseDamaged, match="Expected sound tokens"):
        TokensFile(write(tmp_path / "t", content), shape=SHAPE, fingerprint="f")


def test_file_names_are_plain_whatever_the_fingerprint() -> None:
    assert tokens_file_name("0a-b_C") == "tokens-0a-b_C.safetensors"
    assert "/" not in tokens_file_name("a/../b") and tokens_file_name("a/../b") != tokens_file_name("a/../c")


def test_tokens_of_two_shapes_are_refused() -> None:
    with pytest.raises(DatabaseDamaged, match="of one shape"):
        StoredTokens(VALUES.motion_tokens, VALUES.appearance_tokens[:1])
