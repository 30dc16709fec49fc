"""Manifests: exact bytes, strict reading, refusal of newer formats, unsafe paths and any changed byte."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from index_builder.database.format.manifest import (
    FORMAT_VERSION,
    IndexFile,
    Manifest,
    Segment,
    StoredFile,
    TokensFile,
    TokensSpace,
    _sealed,
    check_size,
    list_generations,
    locate,
    manifest_path,
    newest_generations,
    newest_manifest,
    parse_manifest,
    read_manifest,
)
from index_builder.database.format.manifest_check import is_safe_path
from index_builder.errors import DatabaseDamaged, DatabaseNotFound, DatabaseTooNew

SHA = "ab" * 32


def manifest(generation: int = 1, **changes) -> Manifest:
    rows = StoredFile(path="segments/abc/rows.arrow", sha256=SHA, size_bytes=100)
    tokens = TokensFile(path="segments/abc/tokens-t.safetensors", sha256=SHA, size_bytes=10, fingerprint="t")
    sampling = {"clip_seconds": 2.0, "clips_per_video": None}
    segment = Segment(name="abc", row_count=3, rows=rows, tokens=(tokens,), sampling=sampling)
    index = IndexFile(
        path="indexes/x.faiss", sha256=SHA, size_bytes=5, field="text", kind="flat", row_count=3, segments=("abc",)
    )
    values = dict(
        generation=generation,
        retrieval_fingerprint="r",
        retrieval_description="köder 日本 (4)",
        embedding_dim=4,
        tokens=(TokensSpace(fingerprint="t", encoder_name="tiny", tokens_per_clip=2, token_dim=3),),
        clips={"frames": 16, "seconds": 2.0},
        decoders={"av": "18"},
        segments=(segment,),
        indexes=(index,),
        tombstones=("row@0-1",),
    )
    return Manifest(**{**values, **changes})


def write(database: Path, generation: int, content: bytes | None = None) -> Path:
    path = manifest_path(database, generation)
    path.write_bytes(manifest(generation).to_bytes() if content is None else content)
    return path


def test_the_newest_generations_of_many_folders(tmp_path: Path) -> None:
    for name in ("good", "odd", "empty"):
        (tmp_path / name).mkdir()
    write(tmp_path / "good", 3)
    for name in ("manifest-x.json", "manifest-1.json", "manifest-9999999999999.json", "manifest-.json"):
        (tmp_path / "odd" / name).write_text("[")
    (tmp_path / "file").write_text("x")
    folders = {name: tmp_path / name for name in ("good", "odd", "empty", "file", "gone")}
    assert newest_generations(folders) == {"good": 3}


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch, caplog) -> None:
    write(tmp_path, 3)
    monkeypatch.setattr("os.listdir", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    assert newest_generations({"locked": tmp_path}) == {"locked": None}
    assert "the database locked: Expected to list the folder" in caplog.text


def test_roots_are_kept_and_bounded(tmp_path: Path) -> None:
    assert b'"roots"' not in manifest(1).to_bytes()
    rooted = replace(manifest(1), roots=("/videos", "../videos"))
    assert parse_manifest(rooted.to_bytes(), generation=1, name="m") == rooted
    for roots in (("x",) * 65, ("x" * 5000,), (5,), ([],)):
        with pytest.raises(DatabaseDamaged, match="roots"):
            parse_manifest(replace(rooted, roots=roots).to_bytes(), generation=1, name="m")


def test_comes_back_equal(tmp_path: Path) -> None:
    write(tmp_path, 7)
    assert read_manifest(tmp_path, 7) == manifest(7)
    assert manifest().row_count == 3 and len(manifest().files) == 3


def test_any_flipped_byte_is_noticed() -> None:
    content = manifest().to_bytes()
    for place in range(len(content)):
        spoiled = bytearray(content)
        spoiled[place] ^= 1 << (place % 8)
        with pytest.raises(DatabaseDamaged):
            parse_manifest(bytes(spoiled), generation=1, name="m")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_torn_file_is_damaged(share: float) -> None:
    content = manifest().to_bytes()
    with pytest.raises(DatabaseDamaged, match="restore it from a backup"):
        parse_manifest(content[: int(len(content) * share)], generation=1, name="m")


def test_readers_fall_back_to_the_generation_before(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2)
    write(tmp_path, 3, b"{")
    found, passed_over = newest_manifest(tmp_path)
    assert found.generation == 2 and "manifest-000003" in passed_over[0]
    assert list_generations(tmp_path) == [3, 2, 1]


def test_a_newer_format_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 1)
    values = {**json.loads(manifest(2).to_bytes()), "format_version": FORMAT_VERSION + 1, "something": "new"}
    write(tmp_path, 2, json.dumps(values).encode())
    with pytest.raises(DatabaseTooNew, match="upgrade motionrag"):
        newest_manifest(tmp_path)


def test_none_and_none_valid_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotFound, match="motionrag index build FOLDER --output"):
        newest_manifest(tmp_path)
    write(tmp_path, 1, b"null")
    with pytest.raises(DatabaseDamaged, match="found none"):
        newest_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"generation": 9}, "generation 9"),
        ({"embedding_dim": 0}, "embedding_dim 0"),
        ({"embedding_dim": True}, "embedding_dim True"),
        ({"format": "other"}, "format 'other'"),
        ({"segments": manifest().segments * 2}, "listed twice"),
        ({"tokens": ()}, "fingerprint that is not described"),
        ({"tokens": (TokensSpace(fingerprint="t", encoder_name="", tokens_per_clip=-1, token_dim=3),)}, "tokens of -1"),
    ],
)
def test_impossible_values_are_refused_though_the_hash_fits(change: dict, problem: str) -> None:
    with pytest.raises(DatabaseDamaged, match=problem):
        parse_manifest(manifest(**change).to_bytes(), generation=1, name="m")


def with_rows_path(path: object) -> bytes:
    values = json.loads(manifest().to_bytes())
    values.pop("~sha256")
    values["segments"][0]["rows"]["path"] = path
    return _sealed(values)


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "segments/../../x", "a\\..\\b", "C:/x", "", "./a", "a//b", ".hidden/x", "a/\x00", 5, None],
)
def test_unsafe_paths_are_refused(path: object) -> None:
    assert not is_safe_path(path)
    with pytest.raises(DatabaseDamaged, match="unsafe path"):
        parse_manifest(with_rows_path(path), generation=1, name="m")


def test_symlinks_and_wrong_sizes_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "rows.arrow").write_bytes(b"0123456789")
    database = tmp_path / "db"
    (database / "segments").mkdir(parents=True)
    file = manifest().segments[0].rows
    with pytest.raises(DatabaseDamaged, match="found none"):
        check_size(database, file)
    (database / "segments" / "abc").symlink_to(outside)
    with pytest.raises(DatabaseDamaged, match="symlink"):
        locate(database, file)
    (database / "segments" / "abc").unlink()
    (database / "segments" / "abc").mkdir()
    (database / "segments" / "abc" / "rows.arrow").write_bytes(b"0123")
    with pytest.raises(DatabaseDamaged, match=r"Expected 100 bytes .* found 4"):
        check_size(database, file)
    (tmp_path / "manifest-000001.json").symlink_to(outside / "rows.arrow")
    with pytest.raises(DatabaseDamaged, match="symlink"):
        read_manifest(tmp_path, 1)
