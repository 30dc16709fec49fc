"""Which video a row of a caption table means: by its whole path, else by the longest tail of it that only one has."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from index_builder.captions.table import CaptionRow, CaptionTable
from index_builder.clips.find import VideoFile
from index_builder.clips.windows import ClipWindow

# Stronger than any tail.
WHOLE_PATH = 1 << 16
FILE_URL = "file://"
Key = tuple[str, ...]


class VideoNames:
    """Finds videos by what tables call them. Names are compared composed (NFC), with either slash, links resolved."""

    def __init__(self, videos: Sequence[VideoFile]) -> None:
        self._videos = videos
        self._parts = [_parts(str(video.path)) for video in videos]
        self._by_path: dict[str, set[int]] = defaultdict(set)
        self._by_stem: dict[str, set[int]] = defaultdict(set)
        self._by_key: dict[Key, list[int]] = defaultdict(list)
        self._real_folders: dict[str, str] = {}
        self._roots = list(dict.fromkeys(str(video.root) for video in videos))
        for number, video in enumerate(videos):
            for path in (str(video.path), os.path.realpath(video.path)):
                self._by_path[_composed(path)].add(number)
        for path, numbers in list(self._by_path.items()):
            # A stem of several videos names none of them.
            stem = str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).suffix else path
            if stem != path:
                self._by_stem[stem] |= numbers
        for number in range(len(videos)):
            *folders, name = self._parts[number]
            for called in dict.fromkeys((name, PurePosixPath(name).stem)):
                self._by_key[(called,)].append(number)
                if folders:
                    self._by_key[folders[-1], called].append(number)

    def find(self, name: str, *, table_folder: Path) -> tuple[list[int], int]:
        """Numbers of the videos that `name` may mean, and how sure that is: WHOLE_PATH, or the parts of the tail that
        agree. One number: it means that video. A name with a folder means none whose folder is another."""
        if name.lower().startswith(FILE_URL):
            return self._find(unquote(name[len(FILE_URL) :]), table_folder)
        found = self._find(name, table_folder)
        # A name may hold a % of its own, so it is taken as it stands first.
        return found if found[0] or "%" not in name else self._find(unquote(name), table_folder)

    def _find(self, name: str, table_folder: Path) -> tuple[list[int], int]:
        plain = name.replace("\\", "/")
        for written in dict.fromkeys((name, plain)):
            for folder in (str(table_folder), *self._roots, *map(os.path.dirname, self._roots)):
                number = self._at(os.path.join(folder, written))
                if number is not None:
                    return [number], WHOLE_PATH
        parts = [part for part in _parts(posixpath.normpath(plain)) if part != ".."]
        if not parts:
            return [], 0
        # A name is taken whole before it is taken for a stem: `a.mp4` is not `a.mp4.mkv` where both are there.
        candidates = self._by_key.get(tuple(parts[-2:]), [])
        exact = [number for number in candidates if self._parts[number][-1] == parts[-1]]
        lengths = {number: self._common_tail(parts, number) for number in exact or candidates}
        longest = max(lengths.values(), default=0)
        return [number for number, length in lengths.items() if length == longest], longest

    def _at(self, path: str) -> int | None:
        """The video at a path, its links resolved or not, or of which it is all but the suffix."""
        path = os.path.normpath(path)
        folder, name = os.path.split(path)
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        real = _composed(os.path.join(self._real_folders[folder], name))
        for known in (self._by_path, self._by_stem):
            numbers = known.get(_composed(path)) or known.get(real) or set()
            if len(numbers) == 1:
                return next(iter(numbers))
        return None

    def _common_tail(self, parts: Sequence[str], number: int) -> int:
        """How many parts agree from behind; the last ones do."""
        length = 1
        for mine, other in zip(reversed(parts[:-1]), reversed(self._parts[number][:-1]), strict=False):
            if mine != other:
                break
            length += 1
        return length


class Matches:
    """What came of a table's rows: those of each video, the surest first, and those that mean several or none."""

    def __init__(self, table: CaptionTable, names: VideoNames, videos: Sequence[VideoFile]) -> None:
        self.table = table
        self.of_video: dict[str, list[CaptionRow]] = {}
        self.ambiguous: list[CaptionRow] = []
        self.unmatched: list[CaptionRow] = []
        self.matched = 0
        found: dict[int, list[tuple[int, CaptionRow]]] = defaultdict(list)
        folder = Path(os.path.abspath(table.path)).parent
        for row in table.rows:
            numbers, sureness = names.find(row.name, table_folder=folder)
            if len(numbers) == 1:
                self.matched += 1
                found[numbers[0]].append((sureness, row))
            else:
                (self.ambiguous if numbers else self.unmatched).append(row)
        for number, rows in found.items():
            rows.sort(key=lambda entry: -entry[0])
            self.of_video[videos[number].source] = [row for _, row in rows]

    def rows_of(self, source: str, window: ClipWindow) -> list[CaptionRow]:
        """Those of this very window (a video may end before its row does), else those of the whole video."""
        rows = self.of_video.get(source, [])
        own = [row for row in rows if row.window == window]
        own = own or [row for row in rows if row.window is not None and row.window.start_ms == window.start_ms]
        return own or [row for row in rows if row.window is None]


def texts_of(rows: Sequence[CaptionRow]) -> tuple[str, ...]:
    """Their captions, each once."""
    return tuple(dict.fromkeys(text for row in rows for text in row.captions))


def several_captions(rows: Sequence[CaptionRow]) -> list[list[CaptionRow]]:
    """The rows of each clip that has several different captions."""
    clips: dict[ClipWindow | None, list[CaptionRow]] = {}
    for row in rows:
        clips.setdefault(row.window, []).append(row)
    return [of_clip for of_clip in clips.values() if len(texts_of(of_clip)) > 1]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _parts(path: str) -> Key:
    return tuple(part for part in _composed(path).split("/") if part not in ("", "."))
