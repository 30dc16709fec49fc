"""The promise of search: k rows, the best of those allowed, whatever is indexed, removed, excluded or filtered."""

import fnmatch
import itertools
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.format.rows import ClipRow
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.search import index_commit, search_index
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.index_commit import rebuild_indexes
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import InvalidSetting
from tests.index_builder.sample_rows import DIM, batch, open_writer, row_id

ROWS, SEGMENTS, TRIALS = 700, 5, 60
WORDS = ("cat", "dog", "runs", "Falls", "left", "höher", "猫が走る")


def described(number: int) -> ClipRow:
    """Captions, lengths and folders that filters tell apart; every seventh row has no caption."""
    generator = random.Random(number)
    return replace(
        batch([number]).rows[0],
        source=f"/videos/{'ab'[number % 2]}/clip {number // 2}.{'mp4' if number % 3 else 'mkv'}",
        end_sec=generator.choice([0.5, 1.0, 2.0]),
        caption=None if number % 7 == 0 else " ".join(generator.sample(WORDS, 3)) + ".",
    )


@pytest.fixture(scope="module", params=["none", "flat", "graph", "graph of the first rows"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("promise") / "db"
    indexed = {"none": 0, "graph of the first rows": SEGMENTS - 1}.get(request.param, SEGMENTS)
    kind = "flat" if request.param == "flat" else "hnsw"
    with open_writer(path) as writer:
        for segment, numbers in enumerate(np.array_split(np.arange(ROWS), SEGMENTS)):
            if segment == indexed and indexed:
                index_commit.commit_indexes(writer, IndexPlan(kind=kind), again=True)
            rows = batch(numbers.tolist())
            writer.commit_rows(replace(rows, rows=[described(int(number)) for number in numbers]))
    if indexed == SEGMENTS:
        rebuild_indexes(path, plan=IndexPlan(kind=kind))
    removed = random.Random(1).sample(range(ROWS), 90)
    remove_rows(path, RowFilter(ids=tuple(map(row_id, removed))))
    return path


def random_filter(generator: random.Random) -> RowFilter:
    return RowFilter(
        sources=tuple(generator.sample(["/videos/a", "clip 1*", "*.mkv", "clip 300", "clip 12.mp4"], 2))
        if generator.random() < 0.5
        else (),
        caption_words=tuple(generator.sample(["cat", "FALLS", "HÖHER", "猫"], generator.randint(0, 2))),
        min_seconds=generator.choice([None, 0.5, 1.0]),
        max_seconds=generator.choice([None, 1.0, 2.0]),
        ids=tuple(map(row_id, generator.sample(range(ROWS), 40))) if generator.random() < 0.1 else (),
    )


def allowed(row: ClipRow, where: RowFilter, ids: set[str], sources: set[str]) -> bool:
    """The filter in words of its own."""
    path = Path(row.source)
    if row.id in ids or sources & {row.source, path.name, path.stem}:
        return False
    if where.ids and row.id not in where.ids:
        return False
    names = (row.source, path.name, path.stem, str(path.parent))
    if where.sources and not any(fnmatch.fnmatchcase(path.name, source) or source in names for source in where.sources):
        return False
    words = (row.caption or "").lower().replace(".", " ").replace("猫", " 猫 ").split()
    if any(word.lower() not in words for word in where.caption_words):
        return False
    return (where.min_seconds or 0) <= row.end_sec - row.start_sec <= (where.max_seconds or 99)


def test_search_gives_the_best_k_of_what_is_allowed(database: Path) -> None:
    opened, generator = MotionDatabase.open(database), random.Random(7)
    rows = opened.rows(opened.ids())
    assert len(rows) == ROWS - 90
    vectors = {field: opened.embeddings([row.id for row in rows], field) for field in ("text", "frame")}
    right, due, filtered = 0, 0, 0
    for trial in range(TRIALS):
        field, k = generator.choice(["text", "frame"]), generator.choice([1, 5, 10, 200])
        query = np.random.default_rng(trial).normal(size=DIM).astype(np.float32)
        query /= np.linalg.norm(query)
        where = random_filter(generator) if trial % 3 else RowFilter()
        ids = {row_id(number) for number in generator.sample(range(ROWS), 20)} if trial % 4 == 1 else set()
        sources = {"clip 3", "clip 20.mp4", "/videos/a/clip 40.mkv"} if trial % 4 == 2 else set()
        mask = np.array([allowed(row, where, ids, sources) for row in rows])
        hits = opened.search(query, field=field, k=k, exclude_ids=ids, exclude_sources=sources, where=where)
        places = {row.id: place for place, row in enumerate(rows)}
        found = [places[hit.row_id] for hit in hits]
        assert len(found) == len(set(found)) == min(k, mask.sum()), where
        assert mask[found].all(), where
        assert np.allclose([hit.score for hit in hits], vectors[field][found] @ query, atol=1e-5)
        assert all(a.score >= b.score for a, b in itertools.pairwise(hits))
        best = np.argsort(-np.where(mask, vectors[field] @ query, -9), kind="stable")[: len(hits)]
        right, due, filtered = right + len(set(best) & set(found)), due + len(best), filtered + (not mask.all())
    assert filtered > TRIALS // 2 and due > 300
    assert right >= due * (0.97 if opened.search_kind("text").startswith("hnsw") else 1)


def test_a_large_graph_is_left_for_exact_search_where_little_is_allowed(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways of a graph: led by the filter while much is allowed, past it where little is."""
    for rows in (10, 10_000):
        monkeypatch.setattr(search_index, "FLAT_ROWS", rows)
        test_search_gives_the_best_k_of_what_is_allowed(database)


def test_narrowed_databases_share_what_is_open_and_narrow_further(database: Path) -> None:
    opened = MotionDatabase.open(database)
    narrowed = opened.narrowed(RowFilter(caption_words=("cat",))).narrowed(RowFilter(sources=("/videos/b",)))
    query = np.ones(DIM, np.float32)
    rows = narrowed.rows([hit.row_id for hit in narrowed.search(query, field="text", k=ROWS)])
    assert rows and all("cat" in row.caption and row.source.startswith("/videos/b/") for row in rows)
    assert len(opened.search(query, field="text", k=ROWS)) == len(opened) > len(rows)


def test_the_figures_of_the_index_are_told(database: Path) -> None:
    opened = MotionDatabase.open(database)
    facts = opened.search_facts("text")
    if opened.search_kind("text") == "exact":
        assert facts == {}
    else:
        assert 0.95 <= facts["recall_at_10"] <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_seconds": -1.0}, "Expected 0 <= min_seconds <= max_seconds"),
        ({"min_seconds": 2.0, "max_seconds": 1.0}, "received 2.0 and 1.0"),
        ({"max_seconds": float("nan")}, "received None and nan"),
        ({"sources": ("",)}, "received an empty one"),
        ({"caption_words": (" ",)}, "received an empty one"),
    ],
)
def test_impossible_filters_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        RowFilter(**settings)


@pytest.mark.parametrize("pattern", ["[", "[]", "[!]", "a[b", "(", "\\", "a+b", "**", "[a-", "x{2}", "$^", "?"])
def test_any_text_is_a_pattern(database: Path, pattern: str) -> None:
    opened = MotionDatabase.open(database)
    assert isinstance(opened.matching(RowFilter(sources=(pattern,), caption_words=(pattern,))), list)
