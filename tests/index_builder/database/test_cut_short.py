"""Files that are cut short while a reader has them mapped: an error that names the file, or a result without it; never
the end of the process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from index_builder.database.format.mapped_file import MappedFile
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.index_commit import rebuild_indexes
from index_builder.errors import DatabaseDamaged
from tests.index_builder.sample_rows import write_database

ROOT = Path(__file__).resolve().parents[3]
ROWS = 1500
USE_WHILE_CUT = """
import os, sys
from pathlib import Path
from index_builder.database.maintain.export import export_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import DatabaseDamaged
from tests.index_builder.sample_rows import row_id, unit_vector

database, pattern, warm = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "warm"
opened, query = MotionDatabase.open(database), unit_vector(1, 0)
uses = {
    "search": lambda: opened.search(query, field="text", k=5),
    "exact": lambda: opened.search(query, field="frame", k=5, exclude_ids=opened.ids()[:1400]),
    "videos": lambda: opened.search(query, field="text", k=5, exclude_sources=["v3"]),
    "where": lambda: opened.search(query, field="text", k=5, where=RowFilter(caption_words=("caption",))),
    "ids": opened.ids,
    "rows": lambda: opened.rows([row_id(number) for number in range(1400, 1500)]),
    "embeddings": lambda: opened.embeddings([row_id(1499)], "frame"),
    "vectors": lambda: [part.sum() for part in opened.vectors("text").parts()],
    "tokens": lambda: opened.tokens([row_id(1499)], fingerprint="tokens-1"),
    "batches": lambda: [batch.num_rows for batch in opened.row_batches()],
}
known = {name: use() for name, use in uses.items()} if warm else {}
for path in database.glob(pattern):
    os.truncate(path, 5000)
for name, use in uses.items():
    try:
        use()
        print(name, "result")
    except DatabaseDamaged as error:
        assert "cut short" in str(error), error
        print(name, "cut short")
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_database(tmp_path_factory.mktemp("cut") / "db", segments=[range(ROWS)])
    rebuild_indexes(folder, plan=IndexPlan(kind="hnsw", target_recall=0.1))
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let a mapped file be cut short")
@pytest.mark.parametrize("warm", ["warm", "cold"])
@pytest.mark.parametrize(
    ("pattern", "hurt"),
    [
        ("segments/*/rows.arrow", {"search", "exact", "videos", "where", "ids", "rows", "embeddings", "vectors"}),
        ("segments/*/tokens*", {"tokens"}),
        ("indexes/*.faiss", set()),
    ],
)
def test_what_was_cut_short_under_a_reader(
    database: Path, tmp_path: Path, pattern: str, hurt: set[str], warm: str
) -> None:
    copy = tmp_path / "db"
    shutil.copytree(database, copy)
    command = [sys.executable, "-c", USE_WHILE_CUT, str(copy), pattern, warm]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    ends = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert len(ends) == 10 and hurt <= {name for name, end in ends.items() if end == "cut short"}
    if not hurt:
        assert set(ends.values()) == {"result"}


def test_a_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    for name in ("empty", "missing"):
        with pytest.raises(DatabaseDamaged, match=rf"Expected to read .*{name}"):
            MappedFile(tmp_path / name)
