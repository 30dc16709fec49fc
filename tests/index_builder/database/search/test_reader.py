"""Reading: rows, search, embeddings and tokens of one generation; removed rows stay away; damage is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.format.id_hashes import ID_HASHES_FILE
from index_builder.database.format.manifest import list_generations, manifest_path, read_manifest
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import (
    DatabaseDamaged,
    DatabaseNotFound,
    InvalidSetting,
    MotionRAGError,
    RowNotFound,
    TokensNotStored,
)
from tests.index_builder.sample_rows import clip_row, row_id, unit_vector, write_database


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_database(tmp_path / "db")


def remove_rows(database: Path, numbers: list[int]) -> None:
    newest = list_generations(database)[0]
    manifest = read_manifest(database, newest)
    changed = replace(manifest, generation=newest + 1, tombstones=tuple(row_id(number) for number in numbers))
    manifest_path(database, newest + 1).write_bytes(changed.to_bytes())


def test_rows_embeddings_and_tokens_in_the_asked_order(database: Path) -> None:
    opened = MotionDatabase.open(database)
    ids = [row_id(number) for number in (5, 0, 4)]
    assert opened.rows(ids) == [clip_row(5), clip_row(0), clip_row(4)]
    expected = np.stack(
        [unit_vector(5, 0) if clip_row(5).caption else unit_vector(5, 1), unit_vector(0, 1), unit_vector(4, 0)]
    )
    assert np.array_equal(opened.embeddings(ids, "text"), expected)
    tokens = opened.tokens(ids, fingerprint="tokens-1")
    assert tokens.motion_tokens[:, 0, 0].tolist() == [5, 0, 4]
    assert tokens.appearance_tokens[:, 0, 0].tolist() == [105, 100, 104]
    assert opened.embeddings([], "text").shape == (0, 8)
    assert list(opened.each_row("id", "width"))[2] == (row_id(2), 64)


@pytest.mark.parametrize("with_index", [True, False])
def test_search_ranks_by_cosine_and_honours_exclusions(database: Path, with_index: bool) -> None:
    if not with_index:
        for path in (database / "indexes").iterdir():
            path.unlink()
    opened = MotionDatabase.open(database)
    query = unit_vector(4, 1)
    hits = opened.search(query, field="frame", k=10)
    assert len(hits) == 6 and hits[0].row_id == row_id(4) and hits[0].score == pytest.approx(1, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    # Row 4 is of v2.mp4, as is row 5.
    for name in ("/videos/v2.mp4", "v2.mp4", "v2"):
        assert {hit.row_id for hit in opened.search(query, field="frame", k=10, exclude_sources=[name])} == {
            row_id(number) for number in range(4)
        }
    assert row_id(4) not in {hit.row_id for hit in opened.search(query, field="frame", k=3, exclude_ids=[row_id(4)])}
    assert len(opened.search(query, field="text", k=2, exclude_ids=["unknown"], exclude_sources=["unknown"])) == 2
    assert opened.has_source("v2") and opened.has_source(row_id(0)) and not opened.has_source("v9")
    assert opened.ids_called("v2") == [row_id(4), row_id(5)] and opened.ids_called(row_id(2)) == [row_id(2)]
    assert opened.ids_called("v9") == []


def test_clips_without_caption_are_found_by_their_frame(database: Path) -> None:
    opened = MotionDatabase.open(database)
    assert opened.search(unit_vector(3, 1), field="text", k=1)[0].row_id == row_id(3)
    assert opened.search(unit_vector(4, 0), field="text", k=1)[0].row_id == row_id(4)


def test_removed_rows_are_gone_and_the_promised_number_is_kept(database: Path) -> None:
    remove_rows(database, [4, 0])
    opened = MotionDatabase.open(database)
    assert len(opened) == 4 and row_id(4) not in opened.ids()
    assert opened.ids_called("v2") == [row_id(5)] and opened.ids_called(row_id(4)) == []
    assert len(opened.search(unit_vector(4, 1), field="frame", k=4)) == 4
    assert row_id(4) not in {hit.row_id for hit in opened.search(unit_vector(4, 1), field="frame", k=6)}
    assert [row for row, *_ in opened.each_row("id")] == [row_id(number) for number in (1, 2, 3, 5)]
    for read in (opened.rows, lambda ids: opened.tokens(ids, fingerprint="tokens-1")):
        with pytest.raises(RowNotFound, match="search again"):
            read([row_id(4)])


def test_an_open_generation_does_not_change(database: Path) -> None:
    opened = MotionDatabase.open(database)
    remove_rows(database, [4])
    assert len(opened) == 6 and len(MotionDatabase.open(database)) == 5


def test_tokens_of_another_pack_are_not_stored(database: Path) -> None:
    opened = MotionDatabase.open(database)
    assert opened.tokens_fingerprints == ("tokens-1",)
    with pytest.raises(TokensNotStored, match=r"found those of tokens-1 \(numbers\): rebuild it with this pack"):
        opened.tokens([row_id(0)], fingerprint="tokens-2")


def test_bad_queries_say_what_is_wrong(database: Path) -> None:
    opened = MotionDatabase.open(database)
    with pytest.raises(InvalidSetting, match=r"shape \(8,\), received \(9,\): encode it with numbers"):
        opened.search(np.ones(9), field="text", k=1)
    with pytest.raises(InvalidSetting, match="finite"):
        opened.search(np.full(8, np.nan), field="text", k=1)
    with pytest.raises(InvalidSetting, match="field of text, frame"):
        opened.search(np.ones(8), field="sound", k=1)


def test_no_database_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotFound, match="found none: build it with"):
        MotionDatabase.open(tmp_path / "nowhere")
    with pytest.raises(DatabaseNotFound, match="found no manifest"):
        MotionDatabase.open(tmp_path)


def test_a_damaged_manifest_is_passed_over_with_a_warning(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    manifest_path(database, 9).write_bytes(b"{}")
    assert MotionDatabase.open(database).generation == 4
    assert "reading generation 4 instead" in caplog.text


def test_flipped_bytes_end_in_rows_or_a_named_error(database: Path) -> None:
    """Reading does not hash; it must not crash or raise anything unnamed either."""
    generator = np.random.default_rng(0)
    files = sorted(path for path in database.rglob("*") if path.is_file())
    refused = 0
    for number in range(300):
        path = files[number % len(files)]
        content = path.read_bytes()
        spoiled = bytearray(content)
        for place in generator.integers(0, len(content), int(generator.integers(1, 4))):
            spoiled[place] = int(generator.integers(0, 256))
        path.write_bytes(spoiled)
        try:
            opened = MotionDatabase.open(database)
            opened.rows(opened.ids())
            opened.search(unit_vector(0, 0), field="text", k=3)
            opened.tokens(opened.ids(), fingerprint="tokens-1")
        except MotionRAGError:
            refused += 1
        path.write_bytes(content)
    assert refused > 50 and len(MotionDatabase.open(database)) == 6


@pytest.mark.parametrize("name", ["rows.arrow", "tokens-tokens-1.safetensors"])
def test_missing_and_shortened_files_are_refused_at_opening(database: Path, name: str) -> None:
    path = next((database / "segments").glob(f"*/{name}"))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DatabaseDamaged, match=f"Expected {len(content)} bytes"):
        MotionDatabase.open(database)
    path.write_bytes(bytes(len(content)))
    with pytest.raises(DatabaseDamaged, match="Expected sound"):
        MotionDatabase.open(database)
    path.unlink()
    with pytest.raises(DatabaseDamaged, match=r"Expected the file .*, found none"):
        MotionDatabase.open(database)


@pytest.mark.parametrize("harm", ["none", "missing", "damaged"])
def test_rows_are_found_by_id_with_their_hashes_and_without(database: Path, harm: str) -> None:
    """Hashes beside the rows make it quick; that they are there changes no answer."""
    opened = MotionDatabase.open(database)
    ids = opened.ids()
    for path in (database / "segments").glob(f"*/{ID_HASHES_FILE}"):
        if harm == "missing":
            path.unlink()
        elif harm == "damaged":
            path.write_bytes(path.read_bytes()[:-1] + b"x")
    fresh = MotionDatabase.open(database)
    assert [row.id for row in fresh.rows(ids[::-1])] == ids[::-1]
    assert not fresh.has_source("of nobody") and fresh.ids_called(ids[1]) == [ids[1]]
    with pytest.raises(RowNotFound, match="received 'of nobody'"):
        fresh.rows([ids[0], "of nobody"])
    remove_rows(database, [0])
    fewer = MotionDatabase.open(database)
    assert fewer.ids() == [each for each in ids if each != row_id(0)]
    problems = [each for each in verify_database(database).problems if "Expected hashes of the ids" in each]
    assert bool(problems) == (harm == "damaged")
