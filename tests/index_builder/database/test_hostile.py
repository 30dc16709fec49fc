"""Databases from strangers: whatever their manifests and files say, though every hash fits, ends in rows or in a named
error; nothing runs, nothing outside the folder is touched, nothing huge is allocated."""

import hashlib
import json
import pickle
import random
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pytest

from index_builder.database.commit.publisher import Publisher
from index_builder.database.format.manifest import _sealed, list_generations, manifest_path, read_manifest
from index_builder.database.format.rows import encode_rows, rows_schema
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.maintain.summary import summarise
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.index_commit import rebuild_indexes
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import DatabaseDamaged, MotionRAGError
from index_builder.report.facts import describe
from tests.index_builder.sample_rows import batch, open_writer, row_id, unit_vector, write_database
from tests.mutations import ODD_VALUES, mutated

MUTATED_MANIFESTS = 200
# Half a character cannot be written as UTF-8, which a manifest is.
WRITABLE = [value for value in ODD_VALUES if value != "\ud800"]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """With everything a manifest can say: segments, indexes and their facts, a removed row."""
    write_database(tmp_path / "db")
    remove_rows(tmp_path / "db", RowFilter(ids=(row_id(4),)))
    return tmp_path / "db"


def use(database: Path) -> None:
    """All that a reader and a careful user do."""
    opened = MotionDatabase.open(database)
    for field in ("text", "frame"):
        opened.search(unit_vector(0, 0), field=field, k=3, exclude_sources=["v1"], where=RowFilter(sources=("v*",)))
        opened.search_facts(field)
    opened.rows(opened.ids())
    opened.tokens(opened.ids(), fingerprint="tokens-1")


def write_manifest(database: Path, values: Any) -> None:
    """As an attacker would: the hash fits, and there is no generation to fall back to."""
    for generation in list_generations(database):
        manifest_path(database, generation).unlink()
    if not isinstance(values, dict):
        manifest_path(database, 7).write_text(json.dumps(values))
        return
    values.pop("~sha256", None)
    number = values.get("generation")
    usable = isinstance(number, int) and not isinstance(number, bool) and 0 < number < 10**12
    manifest_path(database, number if usable else 7).write_bytes(_sealed(values))


def put(database: Path, path: Path, content: bytes) -> None:
    """Replaces a file and makes the manifest agree with it."""
    name = path.relative_to(database).as_posix()
    values = json.loads(manifest_path(database, list_generations(database)[0]).read_bytes())

    def agree(value):
        if isinstance(value, list):
            return [agree(entry) for entry in value]
        if not isinstance(value, dict):
            return value
        changed = {key: agree(entry) for key, entry in value.items()}
        if changed.get("path") == name:
            changed |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        return changed

    path.write_bytes(content)
    values = agree(values)
    values["index_facts"] = {}
    write_manifest(database, values)


def test_mutated_manifests_end_in_results_or_named_errors(database: Path) -> None:
    generator, newest = random.Random(3), list_generations(database)[0]
    original = manifest_path(database, newest).read_bytes()
    refused = 0
    for number in range(MUTATED_MANIFESTS):
        if number % 4:
            write_manifest(database, mutated(json.loads(original), generator, WRITABLE))
        else:
            content = bytearray(original)
            for _ in range(generator.randint(1, 4)):
                content[generator.randrange(len(content))] = generator.randrange(256)
            for generation in list_generations(database):
                manifest_path(database, generation).unlink()
            manifest_path(database, newest).write_bytes(content)
        manifests = [manifest_path(database, generation).read_bytes() for generation in list_generations(database)]
        try:
            verify_database(database)
            use(database)
            Publisher.open(database).presence.release()
        except MotionRAGError as error:
            refused += 1
            assert "Expected" in str(error)
        assert [manifest_path(database, g).read_bytes() for g in list_generations(database)] == manifests
    assert MUTATED_MANIFESTS // 2 < refused < MUTATED_MANIFESTS


def test_deep_and_endless_manifests_are_refused(database: Path) -> None:
    newest = list_generations(database)[0]
    for content in (b"[" * 200_000, b'{"a":' * 100_000, b"9" * 5000, b'{"generation": 1e999}'):
        for generation in list_generations(database):
            manifest_path(database, generation).unlink()
        manifest_path(database, newest).write_bytes(content)
        with pytest.raises(DatabaseDamaged, match="Expected a valid manifest"):
            MotionDatabase.open(database)


def test_one_flipped_byte_anywhere_is_found_and_never_crashes(tmp_path: Path) -> None:
    """Every file, its first and last bytes and many between; the graph's file too."""
    database = write_database(tmp_path / "db", segments=[range(40), range(40, 60)])
    remove_rows(database, RowFilter(ids=(row_id(4),)))
    rebuild_indexes(database, plan=IndexPlan(kind="hnsw", target_recall=0.1))
    generator = np.random.default_rng(5)
    listed = {file.path for file in read_manifest(database, list_generations(database)[0]).files}
    for path in sorted(path for path in database.rglob("*") if path.is_file()):
        content, name = path.read_bytes(), path.relative_to(database).as_posix()
        edges = [*range(8), *range(len(content) - 8, len(content))]
        for place in {*edges, *generator.integers(0, len(content), 8).tolist()}:
            spoiled = bytearray(content)
            spoiled[place] ^= 1 << int(generator.integers(0, 8))
            path.write_bytes(spoiled)
            if name in listed or name.startswith("manifest"):
                problems = verify_database(database).problems
                assert any(path.name in problem for problem in problems), (path, place)
            try:
                use(database)
            except MotionRAGError:
                pass
        path.write_bytes(content)
    assert verify_database(database).sound


PICKLE = pickle.dumps({"x": np.zeros(3)}) + b"\0" * 4000


def header(text: str | bytes) -> bytes:
    text = text.encode() if isinstance(text, str) else text
    return len(text).to_bytes(8, "little") + text


def tokens_header(offsets: str, shape: str = "[3, 2, 3]") -> bytes:
    entry = f'{{"dtype": "F16", "shape": {shape}, "data_offsets": {offsets}}}'
    text = f'{{"__metadata__": {{"fingerprint": "tokens-1"}}, "motion_tokens": {entry}, "appearance_tokens": {entry}}}'
    return header(text) + bytes(72)


@pytest.mark.parametrize(
    "content",
    [
        PICKLE,
        (1 << 40).to_bytes(8, "little") + b"{}" * 100,
        (1 << 63).to_bytes(8, "little") + b"{}" * 100,
        header("[" * 50_000) + bytes(100),
        header('{"a": ' * 5_000) + bytes(100),
        header(b"\xff\xfe" * 50),
        header("null"),
        tokens_header("[0.0, 36.0]"),
        tokens_header("[true, 36]"),
        tokens_header(f"[-{1 << 62}, 36]"),
        tokens_header('["0", "36"]'),
        tokens_header("[0, 36]", shape=f"[{1 << 62}, 4, 4]"),
        b"",
    ],
)
def test_hostile_token_files_are_refused(database: Path, content: bytes) -> None:
    put(database, next((database / "segments").glob("*/tokens*")), content)
    with pytest.raises(DatabaseDamaged, match="Expected"):
        use(database)
    assert not verify_database(database).sound


def arrow_file(rows: int, batches: int = 1) -> bytes:
    schema = rows_schema(8)
    columns = [pa.nulls(rows, field.type) for field in schema]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        for _ in range(batches):
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    return sink.getvalue().to_pybytes()


def longer(content: bytes, generator: random.Random) -> bytes:
    """Eight bytes anywhere, where lengths and offsets stand, become a huge number."""
    spoiled = bytearray(content)
    place = generator.randrange(0, len(content) - 8) & ~7
    spoiled[place : place + 8] = generator.choice([1 << 40, 1 << 62, (1 << 64) - 1, 1 << 33]).to_bytes(8, "little")
    return bytes(spoiled)


def test_hostile_row_files_are_refused_or_read(database: Path) -> None:
    path = next((database / "segments").glob("*/rows.arrow"))
    original, generator = path.read_bytes(), random.Random(1)
    for content in (PICKLE, b"", b"ARROW1\0\0" * 500, arrow_file(0), arrow_file(9), arrow_file(3, batches=2)):
        put(database, path, content)
        with pytest.raises(DatabaseDamaged, match=r"Expected sound rows|\d rows in a file of \d+ bytes"):
            use(database)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(150):
        put(database, path, longer(original, generator))
        try:
            use(database)
        except MotionRAGError:
            pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10  # KiB


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start_sec": float("nan")}, "does not end after its start"),
        ({"end_sec": float("nan")}, "does not end after its start"),
        ({"end_sec": float("inf")}, "does not end after its start"),
        ({"start_sec": -1.0}, "does not end after its start"),
        ({"start_sec": 2.0}, "does not end after its start"),
        ({"fps": float("nan")}, "rate of frames"),
        ({"fps": 0.0}, "rate of frames"),
        ({"width": 0}, "size of pictures"),
        ({"height": -(1 << 31)}, "size of pictures"),
        ({"width": (1 << 31) - 1}, "size of pictures"),
        ({"source": "/" + "x" * 40_000}, "40001 bytes"),
        ({"caption": "x" * (2 << 20)}, "2097152 bytes"),
        ({"thumbnail": bytes(5 << 20)}, "5242880 bytes"),
        ({"id": "x" * 300}, "300 bytes"),
    ],
)
def test_values_that_no_clip_has_are_refused(database: Path, changes: dict, reason: str) -> None:
    path = next(path for path in (database / "segments").glob("*/rows.arrow") if b"v0" in path.read_bytes())
    rows = [replace(row, **changes) for row in batch([0, 1, 2]).rows]
    put(database, path, encode_rows(rows, text=batch([0, 1, 2]).text, frame=batch([0, 1, 2]).frame).to_pybytes())
    with pytest.raises(DatabaseDamaged, match=reason):
        use(database)


@pytest.mark.parametrize("part", ["text", "frame", "motion_tokens"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_compare_with_nothing_are_refused(database: Path, part: str, value: float) -> None:
    good = batch([10, 11])
    good.text[:], good.tokens.motion_tokens[:] = (value if part == name else 1.0 for name in ("text", "motion_tokens"))
    good.frame[:] = value if part == "frame" else 1.0
    with open_writer(database) as writer:
        writer.commit_rows(good)
    opened = MotionDatabase.open(database)
    with pytest.raises(DatabaseDamaged, match="Expected finite"):
        opened.search(unit_vector(0, 0), field="frame", k=20)
        opened.search(unit_vector(0, 0), field="text", k=20)
        opened.tokens([row_id(10)], fingerprint="tokens-1")


def test_counts_beyond_the_files_are_refused_before_memory_is_asked_for(database: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    original = manifest_path(database, list_generations(database)[0]).read_bytes()
    for count in (10**9, 1 << 39):
        values = json.loads(original)
        values["segments"][0]["row_count"] = count
        write_manifest(database, values)
        with pytest.raises(DatabaseDamaged, match=f"{count} rows in a file of"):
            MotionDatabase.open(database)
    for size in ("embedding_dim", "token_dim"):
        values = json.loads(original)
        (values if size in values else values["tokens"][0])[size] = 1 << 15
        write_manifest(database, values)
        with pytest.raises(DatabaseDamaged, match="Expected"):
            use(database)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10  # KiB


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("clips", {"a": [[[[[[[[[1]]]]]]]]]}),
        ("index_facts", {"x": {"y": {"z": {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}}}}),
        ("retrieval_description", "x" * 5000),
        ("tombstones", ["x" * 5000]),
    ],
)
def test_deep_tables_and_endless_names_are_refused(database: Path, place: str, value: object) -> None:
    values = json.loads(manifest_path(database, list_generations(database)[0]).read_bytes())
    values[place] = value
    write_manifest(database, values)
    with pytest.raises(DatabaseDamaged, match="Expected a valid manifest"):
        MotionDatabase.open(database)


def test_a_manifest_that_unfolds_is_refused_before_it_is_parsed(database: Path) -> None:
    newest = list_generations(database)[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for content in (b"[" + b"[]," * (3 << 20) + b"[]]", b"[" + b"1," * (20 << 20) + b"1]"):
        write_manifest(database, {"generation": newest})
        manifest_path(database, newest).write_bytes(content)
        with pytest.raises(DatabaseDamaged, match="tables and lists"):
            MotionDatabase.open(database)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10  # KiB


def test_facts_of_another_kind_are_not_shown(database: Path) -> None:
    rebuild_indexes(database, plan=IndexPlan(kind="hnsw", target_recall=0.1))
    values = json.loads(manifest_path(database, list_generations(database)[0]).read_bytes())
    for facts in values["index_facts"].values():
        facts |= {"recall_at_10": "high", "queries": -1, "parameter": ["efSearch"], "effort": True}
    write_manifest(database, values)
    opened = MotionDatabase.open(database)
    assert not {"recall_at_10", "queries", "parameter", "effort"} & opened.search_facts("text").keys()
    assert "recall not measured" in dict(describe(summarise(opened)))["search by text"]


def as_int(size: int, value: int) -> bytes:
    return value.to_bytes(size, "little")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: PICKLE, "its header states"),
        (lambda content: content[:4] + as_int(4, 1 << 30) + content[8:], "its header states"),
        (lambda content: content[:8] + as_int(8, 1 << 40) + content[16:], "its header states"),
        (lambda content: content[:12], "its header states"),
        (lambda content: content[:-40], "reading failed"),
        (lambda content: b"XXXX" + content[4:], "reading failed"),
        (lambda content: content.replace(as_int(8, 6 * 8), as_int(8, 1 << 39)), "reading failed"),
    ],
)
def test_hostile_indexes_are_passed_over(
    database: Path, change: Callable[[bytes], bytes], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = MotionDatabase.open(database).search(unit_vector(1, 0), field="text", k=5)
    for path in (database / "indexes").glob("*.faiss"):
        put(database, path, change(path.read_bytes()))
    opened = MotionDatabase.open(database)
    found = opened.search(unit_vector(1, 0), field="text", k=5)
    assert found == whole and opened.search_kind("text") == "exact"
    assert message in caplog.text


def test_an_index_of_another_kind_than_the_manifest_says_is_no_crash(database: Path) -> None:
    vectors = np.stack([unit_vector(number, 0) for number in range(6)])
    binary = faiss.IndexLSH(8, 16)
    binary.train(vectors)
    binary.add(vectors)
    for path in (database / "indexes").glob("*.faiss"):
        put(database, path, faiss.serialize_index(binary).tobytes())
    assert len(MotionDatabase.open(database).search(unit_vector(1, 0), field="text", k=5)) == 5


def test_a_graph_called_flat_and_a_flat_called_graph_are_no_crash(database: Path) -> None:
    newest = list_generations(database)[0]
    manifest = read_manifest(database, newest)
    for kind in ("hnsw32_sqfp16", "ivf4_hnsw32_sqfp16", "nonsense", ""):
        indexes = tuple(replace(index, kind=kind) for index in manifest.indexes)
        write_manifest(database, json.loads(replace(manifest, indexes=indexes).to_bytes()))
        assert len(MotionDatabase.open(database).search(unit_vector(1, 0), field="text", k=5)) == 5


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "segments/../../x", "indexes/./x", "a\\b", "C:x", ""])
def test_paths_that_lead_out_are_refused(database: Path, path: str) -> None:
    values = json.loads(manifest_path(database, list_generations(database)[0]).read_bytes())
    values["indexes"][0]["path"] = path
    write_manifest(database, values)
    with pytest.raises(DatabaseDamaged, match="the unsafe path"):
        MotionDatabase.open(database)


@pytest.mark.parametrize("name", ["segments", "indexes"])
def test_a_symlinked_folder_is_not_followed(database: Path, tmp_path: Path, name: str) -> None:
    (database / name).rename(tmp_path / "elsewhere")
    (database / name).symlink_to(tmp_path / "elsewhere")
    assert any("symlink" in problem for problem in verify_database(database).problems)
    if name == "segments":
        with pytest.raises(DatabaseDamaged, match="found a symlink"):
            MotionDatabase.open(database)
