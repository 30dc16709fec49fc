"""Databases from person to person: the same clips, nothing of the machine they are from, and nothing but a database."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index_builder.build import build_database
from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.reading import Reading
from index_builder.clips.stored_clips import read_stored_clips
from index_builder.database.maintain import share
from index_builder.database.maintain.relocate import relocate_videos
from index_builder.database.maintain.remove import remove_rows
from index_builder.database.maintain.share import import_shared, pack_up
from index_builder.database.maintain.shared_file import LABEL
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import DatabaseNotWritable, InputNotFound, InvalidSetting, SharedFileRefused
from tests.index_builder.sample_videos import write_video

WORDS = {"licence": "CC-BY-4.0", "origin": "our own camera"}


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("private-name")


@pytest.fixture(scope="module")
def database(private: Path, encoder) -> Path:
    for seed, place in enumerate(("walks/a.mp4", "walks/b.mp4", "runs/c.mp4")):
        write_video(private / "clips" / place, seed=seed).with_suffix(".txt").write_text(f"somebody moves {seed}")
    build_database([private / "clips"], output=private / "db", encoder=encoder, workers=1)
    return private / "db"


@pytest.fixture(scope="module")
def packed(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("shared") / "moves.zip"
    report = pack_up(database, output, **WORDS)
    assert (report.rows, report.name, report.licence) == (3, "db", "CC-BY-4.0")
    return output


def test_the_same_clips_arrive(database: Path, packed: Path, tmp_path: Path, encoder) -> None:
    report = import_shared(packed, tmp_path / "theirs")
    assert (report.rows, report.origin) == (3, "our own camera")
    mine, theirs = MotionDatabase.open(database), MotionDatabase.open(tmp_path / "theirs")
    ids = mine.ids()
    assert sorted(theirs.ids()) == sorted(ids)
    for field in ("text", "frame"):
        assert np.array_equal(theirs.embeddings(ids, field), mine.embeddings(ids, field))
    tokens = [opened.tokens(ids, fingerprint=encoder.tokens_fingerprint).motion_tokens for opened in (mine, theirs)]
    assert np.array_equal(*tokens)
    assert {row.source for row in theirs.rows(ids)} == {"walks/a.mp4", "walks/b.mp4", "runs/c.mp4"}
    assert {row.caption for row in theirs.rows(ids)} == {row.caption for row in mine.rows(ids)}
    assert json.loads((tmp_path / "theirs" / LABEL).read_text())["licence"] == "CC-BY-4.0"
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_nothing_of_the_machine_goes_with_it(packed: Path, private: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        assert not [name for name in archive.namelist() if private.name.encode() in archive.read(name)]


def test_with_proxies_the_clips_can_be_seen_where_their_videos_are_not(
    database: Path, private: Path, tmp_path: Path, encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTIONRAG_STATE", str(tmp_path / "another user"))
    allowed = AllowedFolders((private / "clips",))
    report = pack_up(database, tmp_path / "moves.zip", **WORDS, proxies=allowed)
    assert (report.rows, report.without_proxy) == (3, ())
    with zipfile.ZipFile(tmp_path / "moves.zip") as archive:
        assert not [name for name in archive.namelist() if private.name.encode() in archive.read(name)]
    import_shared(tmp_path / "moves.zip", tmp_path / "theirs")
    mine, theirs = MotionDatabase.open(database), MotionDatabase.open(tmp_path / "theirs")
    reading, far = Reading(frames=4, short_side=32), AllowedFolders.of_user()
    rows = {row.caption: row for row in theirs.rows(theirs.ids())}
    for row in mine.rows(mine.ids()):
        proxy = rows[row.caption]
        assert proxy.start_sec == 0 and proxy.end_sec == pytest.approx(row.end_sec - row.start_sec, abs=0.1)
        (real,) = read_stored_clips([row], allowed=allowed, reading=reading)
        (small,) = read_stored_clips([proxy], allowed=far, roots=theirs.roots, reading=reading)
        assert not isinstance(real, str) and not isinstance(small, str), (real, small)
        assert np.abs(real.frames.astype(int) - small.frames).mean() < 12
        for field in ("text", "frame"):
            assert np.array_equal(theirs.embeddings([proxy.id], field), mine.embeddings([row.id], field))
        same = [
            opened.tokens([known.id], fingerprint=encoder.tokens_fingerprint).motion_tokens
            for opened, known in ((mine, row), (theirs, proxy))
        ]
        assert np.array_equal(*same)


def test_a_clip_whose_video_cannot_be_read_goes_without_a_proxy(database: Path, private: Path, tmp_path: Path) -> None:
    report = pack_up(database, tmp_path / "moves.zip", **WORDS, proxies=AllowedFolders((private / "clips" / "walks",)))
    (why,) = report.without_proxy
    assert "c.mp4: it lies in no folder that was indexed here" in why
    import_shared(tmp_path / "moves.zip", tmp_path / "theirs")
    theirs = MotionDatabase.open(tmp_path / "theirs")
    assert len(list((tmp_path / "theirs" / "proxies").iterdir())) == 2
    assert sum(row.source.endswith("c.mp4") for row in theirs.rows(theirs.ids())) == 1


def test_a_proxy_that_is_another_video_is_refused(database: Path, private: Path, tmp_path: Path) -> None:
    pack_up(database, tmp_path / "moves.zip", **WORDS, proxies=AllowedFolders((private / "clips",)))
    import_shared(tmp_path / "moves.zip", tmp_path / "theirs")
    first, second = sorted((tmp_path / "theirs" / "proxies").iterdir())[:2]
    shutil.copyfile(second, first)
    theirs = MotionDatabase.open(tmp_path / "theirs")
    rows = [row for row in theirs.rows(theirs.ids()) if row.source == first.name]
    reading, folders = Reading(frames=4, short_side=32), AllowedFolders((tmp_path / "theirs" / "proxies",))
    (found,) = read_stored_clips(rows, allowed=folders, roots=theirs.roots, reading=reading)
    assert found == "its content is not what was indexed"


def test_more_clips_than_a_file_may_name_are_refused(
    database: Path, private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "MOST_PROXIES", 2)
    with pytest.raises(InvalidSetting, match="at most 2 clips to make proxies of, received 3"):
        pack_up(database, tmp_path / "moves.zip", **WORDS, proxies=AllowedFolders((private / "clips",)))


def test_removed_clips_stay_behind(database: Path, tmp_path: Path) -> None:
    shutil.copytree(database, tmp_path / "db")
    gone = MotionDatabase.open(tmp_path / "db").ids()[0]
    remove_rows(tmp_path / "db", RowFilter(ids=(gone,)))
    assert pack_up(tmp_path / "db", tmp_path / "less.zip", **WORDS).rows == 2
    with zipfile.ZipFile(tmp_path / "less.zip") as archive:
        assert not [name for name in archive.namelist() if gone.encode() in archive.read(name)]


def test_whoever_has_the_videos_finds_them_by_their_content(packed: Path, private: Path, tmp_path: Path) -> None:
    import_shared(packed, tmp_path / "theirs")
    rows = MotionDatabase.open(tmp_path / "theirs")
    asked = {"allowed": AllowedFolders((private,)), "reading": Reading(frames=4, short_side=48)}
    reasons = read_stored_clips(rows.rows(rows.ids()), **asked)
    assert all("no absolute path of a file" in str(reason) for reason in reasons)
    assert len(relocate_videos(tmp_path / "theirs", [private / "clips"]).moved) == 3
    again = MotionDatabase.open(tmp_path / "theirs")
    assert not any(isinstance(clip, str) for clip in read_stored_clips(again.rows(again.ids()), **asked))


def test_nothing_is_ever_overwritten(database: Path, packed: Path, tmp_path: Path) -> None:
    with pytest.raises(DatabaseNotWritable, match=r"Expected a new file, received .*moves\.zip"):
        pack_up(database, packed, **WORDS)
    (tmp_path / "there").mkdir()
    with pytest.raises(DatabaseNotWritable, match="Expected a new folder for the database"):
        import_shared(packed, tmp_path / "there")


def _rewritten(packed: Path, target: Path, change: Callable[[dict[str, bytes]], None], **how: Any) -> Path:
    with zipfile.ZipFile(packed) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    change(contents)
    with zipfile.ZipFile(target, "w", **how) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return target


def _other_bytes(contents: dict[str, bytes]) -> None:
    name = next(name for name in contents if name.endswith("rows.arrow"))
    contents[name] = contents[name][:-1] + bytes([contents[name][-1] ^ 1])


def _fewer_rows_said(contents: dict[str, bytes]) -> None:
    contents[LABEL] = contents[LABEL].replace(b'"rows": 3', b'"rows": 2')


def _later_version(contents: dict[str, bytes]) -> None:
    contents[LABEL] = contents[LABEL].replace(b'"version": 1', b'"version": 2')


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda contents: contents.update({"../evil.txt": b"x"}), r"\.\./evil\.txt is no file of a motion database"),
        (lambda contents: contents.update({"segments/run.py": b"x"}), "run.py is no file of a motion database"),
        (lambda contents: contents.pop(LABEL), f"there is no {LABEL} in it"),
        (lambda contents: contents.update({LABEL: b"[" * 5000}), "its label cannot be read"),
        (lambda contents: contents.popitem(), "its label names other files"),
        (_later_version, "of version 2, this program reads 1"),
        (_other_bytes, "received other bytes"),
        (_fewer_rows_said, "it holds 3 clips, its label says 2"),
    ],
)
def test_what_is_no_such_file_is_refused(
    packed: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], why: str
) -> None:
    file = _rewritten(packed, tmp_path / "bad.zip", change)
    with pytest.raises(SharedFileRefused, match=why):
        import_shared(file, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


def test_compressed_ones_may_unfold_to_any_size(packed: Path, tmp_path: Path) -> None:
    file = _rewritten(packed, tmp_path / "bad.zip", lambda contents: None, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(SharedFileRefused, match="is compressed or encrypted"):
        import_shared(file, tmp_path / "out")


def test_no_zip_no_licence_no_file(database: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(SharedFileRefused, match="Expected a whole zip file"):
        import_shared(tmp_path / "text.zip", tmp_path / "out")
    with pytest.raises(InputNotFound, match="found none at"):
        import_shared(tmp_path / "none.zip", tmp_path / "out")
    with pytest.raises(InvalidSetting, match=r"Expected a \.zip file to write"):
        pack_up(database, tmp_path / "db.tar", **WORDS)
    with pytest.raises(InvalidSetting, match="Expected a licence and an origin"):
        pack_up(database, tmp_path / "db.zip", licence=" ", origin="x")
