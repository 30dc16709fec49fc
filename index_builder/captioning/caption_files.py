"""Where captions that are made here go: one line after the other into a table, or a .txt beside each video. What stands
there already, from a person or from an earlier run, is never changed."""

from __future__ import annotations

import csv
import io
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from index_builder.captions.captions import CaptionPlan, TableCaptions
from index_builder.captions.encoding import encoding_of
from index_builder.captions.sidecars import read_sidecar
from index_builder.captions.table import CAPTION_COLUMNS, PATH_COLUMNS
from index_builder.clips.find import VideoFile
from index_builder.clips.windows import ClipWindow
from index_builder.errors import CaptionTableInvalid
from index_builder.whole_file import whole_file

HEADER = ("path", "caption", "model")
WHOLE = ClipWindow(0, 1)


class CaptionStore(Protocol):
    """Keeps captions; each is on the disk when `keep` returns."""

    def has(self, video: VideoFile) -> bool:
        """Whether the video has a caption."""
        ...

    def keep(self, video: VideoFile, caption: str, *, model: str) -> None:
        """Adds the caption of a video that has none."""
        ...


class SidecarStore:
    """Implements CaptionStore with `clip.txt` beside `clip.mp4`."""

    def has(self, video: VideoFile) -> bool:
        """Also where the file is there and empty: somebody put it there."""
        return _sidecar(video).exists() or _has_sidecar(video)

    def keep(self, video: VideoFile, caption: str, *, model: str) -> None:
        """Never over a file that has come meanwhile."""
        temporary = _new_beside(_sidecar(video), f"{caption}\n".encode())
        _sync(temporary)
        try:
            os.link(temporary, _sidecar(video))
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            with _sidecar(video).open("x", encoding="utf-8") as stream:
                stream.write(f"{caption}\n")
        finally:
            temporary.unlink()


class TableStore:
    """Implements CaptionStore with a table of the columns path, caption and model, or one of a person's own: then its
    rows are kept, and its other columns stay empty in new ones."""

    def __init__(self, path: Path, videos: Sequence[VideoFile]) -> None:
        """Raises CaptionTableInvalid for a table that rows cannot be added to."""
        self.path, self._columns = path, list(HEADER)
        self._known: set[str] = set()
        try:
            if path.exists():
                self._columns = self._mend()
                said = TableCaptions(CaptionPlan(table=path), videos)
                self._known = {video.source for video in videos if said.of(video.source, WHOLE)}
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._append(HEADER)
        except OSError as error:
            raise CaptionTableInvalid(
                f"Expected to write captions to {path}, received {error}: name another --output."
            ) from error

    def has(self, video: VideoFile) -> bool:
        """In the table, or beside the video."""
        return video.source in self._known or _has_sidecar(video)

    def keep(self, video: VideoFile, caption: str, *, model: str) -> None:
        """Adds a row."""
        folder = self.path.resolve().parent
        inside = video.path.is_relative_to(folder)
        name = video.path.relative_to(folder).as_posix() if inside else str(video.path)
        lowered = [column.strip().lower() for column in self._columns]
        path_column = next(column for column in PATH_COLUMNS if column in lowered)
        caption_column = next(column for column in CAPTION_COLUMNS if column in lowered)
        values = {path_column: name, caption_column: caption, "model": model}
        self._append([values.get(column, "") for column in lowered])
        self._known.add(video.source)

    def _append(self, values: Sequence[str]) -> None:
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(values)
        with self.path.open("ab") as stream:
            stream.write(line.getvalue().encode())
            stream.flush()
            os.fsync(stream.fileno())

    def _mend(self) -> list[str]:
        """The columns, after a last line that a kill cut short is taken away."""
        content = self.path.read_bytes()
        if self.path.suffix.lower() != ".csv" or encoding_of(content) != "utf-8":
            raise CaptionTableInvalid(
                f"Expected a .csv in UTF-8 to add captions to, received {self.path.name}: name another --output."
            )
        text = content.decode("utf-8-sig", errors="replace")
        columns = next(csv.reader(io.StringIO(text, newline="")), [])
        lowered = {column.strip().lower() for column in columns}
        if not lowered & set(PATH_COLUMNS) or not lowered & set(CAPTION_COLUMNS):
            raise CaptionTableInvalid(
                f"Expected the columns path and caption, parted by commas, in {self.path.name}, received "
                f"{', '.join(columns) or 'none'}: name another --output."
            )
        whole, newline, last = content.rpartition(b"\n")
        if last and _is_torn(last, len(columns)):
            content = whole + newline
            _replace(self.path, content)
        elif last:
            _replace(self.path, content + b"\n")
        return columns


def _is_torn(line: bytes, fields: int) -> bool:
    """Whether a line that no line end follows is less than a row: a quote is open, or a field is missing."""
    try:
        rows = list(csv.reader([line.decode("utf-8")], strict=True))
    except (csv.Error, UnicodeDecodeError):
        return True
    return line.startswith(b'"') and len(rows[0]) < fields


def _new_beside(path: Path, content: bytes) -> Path:
    """A file of a name that nobody can have put there before, as a link to another file."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    with temporary.open("xb") as stream:
        try:
            stream.write(content)
            stream.flush()
        except OSError:  # half a table on a full disk helps nobody
            temporary.unlink(missing_ok=True)
            raise
    return temporary


def _replace(path: Path, content: bytes) -> None:
    with whole_file(path, synced=True) as temporary:
        temporary.write_bytes(content)


def _has_sidecar(video: VideoFile) -> bool:
    """Whether a caption lies beside the video; one that cannot be read is somebody's too."""
    try:
        return read_sidecar(video.path) is not None
    except OSError:
        return True


def _sidecar(video: VideoFile) -> Path:
    return video.path.with_suffix(".txt")


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
