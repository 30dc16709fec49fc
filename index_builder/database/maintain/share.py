"""Packing a database up for others, and importing what others packed up."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from index_builder.clips.allowed_folders import AllowedFolders, note_folders
from index_builder.content_hash import sha256_of
from index_builder.database.commit import durable_files
from index_builder.database.commit.presence import TEMPORARY
from index_builder.database.commit.publisher import Publisher, writing
from index_builder.database.format.id_hashes import ID_HASHES_FILE
from index_builder.database.format.manifest import manifest_path
from index_builder.database.maintain.merge import merge_databases
from index_builder.database.maintain.proxies import FOLDER, add_proxies
from index_builder.database.maintain.rewrite_rows import RowChange, rewrite_rows
from index_builder.database.maintain.shared_file import LABEL, MAX_FILES, SharedLabel, read_label
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseNotWritable, InputNotFound, InvalidSetting, SharedFileRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

Progress = Callable[[int, int], None]
SUFFIX = ".zip"
_BLOCK_BYTES = 1 << 20
MOST_PROXIES = MAX_FILES // 2


@dataclass(frozen=True, kw_only=True)
class SharedReport:
    """What was packed up, or imported, and where it lies now."""

    path: str
    name: str
    licence: str
    origin: str
    rows: int
    size_bytes: int
    # Why clips have no proxy, where proxies were asked for.
    without_proxy: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def pack_up(
    database: Path,
    output: Path,
    *,
    licence: str,
    origin: str,
    proxies: AllowedFolders | None = None,
    progress: Progress | None = None,
    making_proxies: Progress | None = None,
) -> SharedReport:
    """Writes `output` (.zip, which must not exist yet): captions, embeddings, thumbnails and tokens of the clips that
    were not removed, without their videos, whose names stay and whose folders on this machine do not.

    licence: under which others may use it; origin: where the clips come from. proxies: with a small copy of each clip,
    read below these folders, in the place of its video's name. `progress` hears rows copied and rows in all,
    `making_proxies` clips read and clips in all. Raises InvalidSetting, DatabaseNotFound, DatabaseDamaged,
    DatabaseNotWritable.
    """
    if output.suffix.lower() != SUFFIX:
        raise InvalidSetting(f"Expected a {SUFFIX} file to write, received {output}: rename it.")
    if not licence.strip() or not origin.strip():
        raise InvalidSetting(
            "Expected a licence and an origin, received none: say under which licence others may use captions and "
            "thumbnails, and where the clips come from."
        )
    name = PurePath(os.path.abspath(database)).name
    with writing(output, remedy="pack it up again"), _beside(output) as folder:
        copy = folder / "database"
        merge_databases([database], output=copy, progress=progress)
        rows = len(MotionDatabase.open(copy))
        if proxies and rows > MOST_PROXIES:
            raise InvalidSetting(
                f"Expected at most {MOST_PROXIES} clips to make proxies of, received {rows}: pack up without, or prune."
            )
        missing: list[str] = []
        if proxies:
            roots = MotionDatabase.open(database).roots
            missing = add_proxies(copy, sources=proxies, roots=roots, progress=making_proxies)
        _forget_folders(copy)
        label = _labelled(copy, name=name, licence=licence.strip(), origin=origin.strip())
        packed = folder / "packed.zip"
        with zipfile.ZipFile(packed, "x", zipfile.ZIP_STORED) as archive:
            archive.writestr(LABEL, label.to_json())
            for file in label.files:
                archive.write(copy / file, file)
        durable_files.fsync_file(packed)
        _claim(packed, output)
    return replace(_report(label, output, output.stat().st_size), without_proxy=tuple(missing))


def import_shared(file: Path, output: Path, *, progress: Progress | None = None) -> SharedReport:
    """Unpacks what `pack_up` wrote into `output`, a folder that must not exist yet, once all of it was checked: names,
    sizes, hashes, and that it is a sound database. `progress` hears bytes unpacked and bytes in all.

    Nothing that it names is opened: videos are read only below folders that were indexed here or allowed, as of any
    database of strangers. Its own folder of proxies counts as allowed from then on. Raises InputNotFound,
    SharedFileRefused, DatabaseNotWritable.
    """
    if not file.is_file():
        raise InputNotFound(f"Expected a file that motionrag database pack-up wrote, found none at {file}: check it.")
    if output.exists():
        raise DatabaseNotWritable(
            f"Expected a new folder for the database, received {output}, which is there: rename it."
        )
    with writing(output, remedy="import it again"), _beside(output) as folder:
        copy = folder / "database"
        try:
            with zipfile.ZipFile(file) as archive:
                label = read_label(archive)
                _unpack(archive, label, copy, progress)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
            raise SharedFileRefused(f"Expected a whole zip file, received {file} ({error}): get it again.") from error
        checked = verify_database(copy)
        if not checked.sound or checked.rows != label.rows:
            why = (
                checked.problems[0]
                if checked.problems
                else f"it holds {checked.rows} clips, its label says {label.rows}"
            )
            raise SharedFileRefused(f"Expected a sound database in {file}, but {why}: ask its maker for another copy.")
        durable_files.write_new(copy / LABEL, label.to_json())
        try:
            durable_files.rename(copy, output)
        except FileExistsError as error:
            raise DatabaseNotWritable(f"Expected no {output} yet, but now it is there: choose another.") from error
    if (output / FOLDER).is_dir():
        note_folders([Path(os.path.abspath(output / FOLDER))])
    return _report(label, output, sum(size for _, size in label.files.values()))


def _forget_folders(copy: Path) -> None:
    """Sources become names below the folder that all the videos have in common; where that lies is left out."""
    opened = MotionDatabase.open(copy)
    rows_of: dict[str, list[str]] = defaultdict(list)
    for row_id, source in opened.each_row("id", "source"):
        rows_of[source].append(row_id)
    absolute = [source for source in rows_of if os.path.isabs(source)]
    common = os.path.commonpath([os.path.dirname(source) for source in absolute]) if absolute else ""
    changes: dict[str, RowChange] = {}
    for source in absolute:
        below = PurePath(os.path.relpath(source, common)).as_posix()
        changes |= dict.fromkeys(rows_of[source], RowChange(values={"source": below, "source_mtime_ns": 0}))
    with Publisher.open(copy) as publisher:
        if changes:
            rewrite_rows(publisher, changes)
        if opened.manifest.roots not in ((), (FOLDER,)):
            publisher.publish(lambda base: replace(base, roots=()) if base.roots else None)


def _labelled(copy: Path, *, name: str, licence: str, origin: str) -> SharedLabel:
    manifest = MotionDatabase.open(copy).manifest
    paths = [manifest_path(copy, manifest.generation), *(copy / file.path for file in manifest.files)]
    paths += [copy / "segments" / segment.name / ID_HASHES_FILE for segment in manifest.segments]
    paths += sorted((copy / FOLDER).glob("*.mp4"))
    there = [path for path in paths if path.is_file()]
    files = {path.relative_to(copy).as_posix(): (sha256_of(path), path.stat().st_size) for path in there}
    return SharedLabel(name=name, licence=licence, origin=origin, rows=manifest.row_count, files=files)


def _unpack(archive: zipfile.ZipFile, label: SharedLabel, copy: Path, progress: Progress | None) -> None:
    total, done = sum(size for _, size in label.files.values()), 0
    for name, (sha256, size) in label.files.items():
        path, digest, left = copy / name, hashlib.sha256(), size
        durable_files.make_folder(path.parent)
        with archive.open(name) as packed, path.open("xb") as stream:
            while left > 0 and (block := packed.read(min(_BLOCK_BYTES, left))):
                digest.update(block)
                stream.write(block)
                left -= len(block)
                done += len(block)
                if progress:
                    progress(done, total)
        if left or digest.hexdigest() != sha256:
            raise SharedFileRefused(f"Expected {name} as its label says, received other bytes: get the file again.")
        durable_files.fsync_file(path)


def _claim(packed: Path, output: Path) -> None:
    """Gives it its name, never over a file that has it."""
    try:
        durable_files.link(packed, output)
    except FileExistsError as error:
        raise DatabaseNotWritable(f"Expected a new file, received {output}, which is there: choose another.") from error
    durable_files.fsync_folder(output.parent)


@contextmanager
def _beside(output: Path) -> Iterator[Path]:
    """A folder for what is not finished, on the same disk; gone afterwards."""
    durable_files.make_folder(output.parent)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=output.parent) as folder:
        yield Path(folder)


def _report(label: SharedLabel, path: Path, size_bytes: int) -> SharedReport:
    return SharedReport(
        path=str(path),
        name=label.name,
        licence=label.licence,
        origin=label.origin,
        rows=label.rows,
        size_bytes=size_bytes,
    )
