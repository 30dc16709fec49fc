"""Building a motion database: find videos, decode clips in workers, encode in batches, commit segment by segment.

Whatever was committed stays; a build that was stopped goes on with the clips that are in no committed segment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from index_builder.build_captions import counted
from index_builder.build_options import BuildOptions
from index_builder.build_report import (
    ALREADY_INDEXED,
    INTERRUPTED,
    BuildProgress,
    BuildReport,
    Ledger,
    Phase,
    ProgressCallback,
)
from index_builder.captions.captions import Captions
from index_builder.captions.counts import Source
from index_builder.clips.allowed_folders import note_folders
from index_builder.clips.archives import unpacked
from index_builder.clips.find import Unusable, VideoFile, find_videos
from index_builder.clips.messages import Decoded, Failed, Inspected
from index_builder.clips.windows import ClipWindow, PlannedClip, cut_short, row_id
from index_builder.database.commit.output_folder import check_output
from index_builder.database.commit.publisher import writing
from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.commit.segment_rows import joined
from index_builder.database.format.manifest import FIRST_VERSION, FORMAT_VERSION, Manifest, TokensSpace
from index_builder.database.maintain.near_duplicates import NearDuplicateGuard
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.engines.batch_size import BatchSize
from index_builder.engines.encode import encode_clips
from index_builder.engines.engine import Engine, EngineWork, Event, WrittenSegment
from index_builder.engines.local import LocalEngine
from index_builder.errors import RecallBelowTarget
from index_builder.features.clip_encoder import ClipEncoder
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
REMOVED = "removed from this database earlier: motionrag index restore brings it back"


def build_database(
    inputs: Sequence[Path],
    *,
    output: Path,
    encoder: ClipEncoder,
    options: BuildOptions | None = None,
    engine: Engine | None = None,
    progress: ProgressCallback | None = None,
    should_stop: Callable[[], bool] | None = None,
    **choices: Any,
) -> BuildReport:
    """Brings the clips of all videos under `inputs` into the database at `output`, which is made where missing.

    `choices` are fields of BuildOptions that replace those of `options`. engine: what decodes, by default processes of
    this machine. Videos that cannot be read are reported, not raised. Ctrl-C, and `should_stop` once it says so (it is
    asked at least every second or so), commit what is encoded and return a report that says `interrupted`.
    Raises InputNotFound, CaptionTableInvalid, InvalidSetting, DatabaseMismatch, DatabaseDamaged, DatabaseNotWritable,
    CommitConflict; RecallBelowTarget, which carries the report, when all is committed but the index is too poor.
    """
    options = replace(options or BuildOptions(), **choices)
    check_output(output)
    found = _found(inputs, output)
    note_folders(entry.root for entry in found if isinstance(entry, VideoFile))
    captions = Captions(options.caption_plan, [entry for entry in found if isinstance(entry, VideoFile)])
    sampling = options.cutting.recorded(clip_seconds=encoder.clip_seconds)
    if captions.has_windows:
        sampling["windows"] = "those of the caption table"
    with (
        writing(output, remedy="run the build again"),
        DatabaseWriter(output, template=_template(encoder), sampling=sampling) as writer,
    ):
        build = _Build(writer, encoder, captions, found, options, progress, should_stop)
        return build.run(engine or LocalEngine(workers=options.workers))


def _found(inputs: Sequence[Path], output: Path) -> list[VideoFile | Unusable]:
    """Videos, those in archives too, which are unpacked beside the database. Raises InputNotFound."""
    with writing(output, remedy="run the build again"):
        ready, broken = unpacked(inputs, folder=output.with_name(f"{output.name}-unpacked"))
    return [*(find_videos(ready) if ready or not broken else []), *broken]


def _template(encoder: ClipEncoder) -> Manifest:
    """The manifest of an empty database as `encoder` fills it."""
    space = TokensSpace(
        fingerprint=encoder.tokens_fingerprint,
        encoder_name=encoder.name,
        tokens_per_clip=encoder.tokens_per_clip,
        token_dim=encoder.token_dim,
    )
    return Manifest(
        generation=0,
        retrieval_fingerprint=encoder.retrieval_fingerprint,
        retrieval_description=encoder.retrieval_description,
        embedding_dim=encoder.embedding_dim,
        text_space=encoder.text_space,
        format_version=FIRST_VERSION if encoder.text_space is None else FORMAT_VERSION,
        tokens=(space,),
        clips={
            "frames": encoder.reading.frames,
            "seconds": float(encoder.clip_seconds),
            "short_side": encoder.reading.short_side,
            **({} if encoder.reading.version == 1 else {"version": 2, "shape": list(encoder.reading.shape or ())}),
        },
        decoders={name: _version_of(name) for name in ("decord", "av")},
    )


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


class _Stopped(Exception):
    """The caller wants no more."""


class _Build:
    """One run: the books, the clips that wait to be encoded, and the rows that wait to be committed."""

    def __init__(
        self,
        writer: DatabaseWriter,
        encoder: ClipEncoder,
        captions: Captions,
        found: Sequence[VideoFile | Unusable],
        options: BuildOptions,
        progress: ProgressCallback | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        self.writer, self.encoder, self.captions, self.found = writer, encoder, captions, found
        self.options, self.progress, self.should_stop = options, progress, should_stop
        alike = options.near_duplicates
        self.guard = None if alike is None else NearDuplicateGuard(writer.database, alike)
        self.started = self.last_commit = time.monotonic()
        self.ledger = Ledger(entry.source if isinstance(entry, VideoFile) else entry.path for entry in found)
        self.batch = BatchSize(options.batch_clips, encoder.device)
        self.waiting: list[Decoded] = []
        self.encoded: list[RowBatch] = []
        self.first_source: dict[str, str] = {}
        self.caption_source: dict[str, Source | None] = {}
        self.duplicates: list[tuple[str, str]] = []
        self.committed = 0
        self.interrupted = False

    def run(self, engine: Engine) -> BuildReport:
        self._report_progress("reading")
        videos = list(self._new_videos())
        events = engine.clips(videos, self._plan, self._work())
        try:
            for event in events:
                if self.should_stop is not None and self.should_stop():
                    raise _Stopped
                self._take(event)
            self._encode()
            self._commit()
            self._end_duplicates()
            self._report_progress("indexing")
            self.writer.commit_indexes(self.options.index_plan)
        except (KeyboardInterrupt, _Stopped):
            logger.info("interrupted: committing what is encoded")
            self.interrupted = True
            events.close()
            self._commit()
        except RecallBelowTarget as error:
            error.report = self._report()
            raise
        self._report_progress("done")
        return self._report()

    def _new_videos(self) -> Iterator[VideoFile]:
        """Videos that need to be looked into; books the end of what does not."""
        for entry in self.found:
            if isinstance(entry, Unusable):
                self.ledger.end(entry.path, "failed" if entry.failed else "skipped", reason=entry.reason)
            elif self._is_new(entry):
                yield entry

    def _is_new(self, entry: VideoFile) -> bool:
        """Whether the video needs to be looked into; books the end of one that does not."""
        known = self.writer.known.row_of(entry.source, entry.size_bytes, entry.mtime_ns)
        # With several clips a video, an earlier run may have left out one that failed.
        if known is None or not self.options.cutting.one_clip_a_video or self.captions.windows(entry):
            return True
        reason = REMOVED if known in self.writer.known.removed else ALREADY_INDEXED
        self.ledger.end(entry.source, "skipped", row_id=known, reason=reason)
        return False

    def _plan(self, video: VideoFile, inspected: Inspected) -> list[PlannedClip]:
        """The clips of the video that are in no committed segment and not of the content of an earlier video."""
        asked: Sequence[ClipWindow] = self.captions.windows(video)
        if not asked:
            asked = self.options.cutting.windows(inspected, clip_seconds=self.encoder.clip_seconds)
        self.ledger.expect(video.source, len(asked))
        planned = []
        for whole in asked:
            window = cut_short(whole, inspected.timeline.duration_sec)
            if window is None:
                reason = f"its window of {whole.start_sec:g} to {whole.end_sec:g} s begins behind its end"
                self.ledger.end(video.source, "failed", reason=f"{reason} at {inspected.timeline.duration_sec:g} s")
                continue
            clip_id = row_id(inspected.content_sha256, window)
            committed_source = self.writer.known.source_of(clip_id)
            if clip_id in self.writer.known.removed:
                self._skip(video, clip_id, REMOVED)
            elif committed_source is not None:
                same = committed_source == video.source
                self._skip(video, clip_id, ALREADY_INDEXED if same else self._copy_of(committed_source))
            elif clip_id in self.first_source:
                # How the first one ends decides how this one does.
                self.duplicates.append((video.source, clip_id))
            else:
                self.first_source[clip_id] = video.source
                caption = self.captions.of(video, whole)
                self.caption_source[clip_id] = caption.source if caption else None
                texts = caption.texts if caption else ()
                planned.append(PlannedClip(video=video, window=window, row_id=clip_id, captions=texts))
        return planned

    def _copy_of(self, source: str) -> str:
        if Path(source).exists():
            return f"same content as {source}"
        return f"same content as {source}, which is gone: motionrag index relocate {self.writer.database} FOLDER"

    def _skip(self, video: VideoFile, clip_id: str, reason: str) -> None:
        self.ledger.end(video.source, "skipped", row_id=clip_id, reason=reason)

    def _work(self) -> EngineWork:
        return EngineWork(
            database=self.writer.database,
            reading=self.encoder.reading,
            limits=self.options.limits,
            batch_clips=self.options.batch_clips,
            commit_clips=self.options.commit_clips,
            scene_threshold=self.options.scene_threshold,
            new_ticket=self.writer.new_ticket,
        )

    def _take(self, event: Event | None) -> None:
        if isinstance(event, Failed):
            self._fail(event)
        elif isinstance(event, WrittenSegment):
            self._commit_written(event)
        elif event is not None:
            self.waiting.append(event)
        if len(self.waiting) >= self.batch.clips:
            self._encode()
        overdue = time.monotonic() - self.last_commit > self.options.commit_sec
        if self._encoded_rows >= self.options.commit_clips or (self.encoded and overdue):
            self._commit()
        self._report_progress("encoding")

    @property
    def _encoded_rows(self) -> int:
        return sum(len(batch.rows) for batch in self.encoded)

    def _fail(self, failed: Failed) -> None:
        row_id = failed.planned.row_id if failed.planned else None
        self.ledger.end(failed.video.source, "failed", row_id=row_id, reason=failed.reason)

    def _encode(self) -> None:
        if not self.waiting:
            return
        decoded, self.waiting = self.waiting, []
        with self.batch.learning(len(decoded)):
            batch, failed = encode_clips(self.encoder, decoded)
        for clip in failed:
            self._fail(clip)
        if batch is not None and (kept := batch.without(self._near_duplicates(batch))) is not None:
            self.encoded.append(kept)

    def _near_duplicates(self, batch: RowBatch) -> set[str]:
        """Ids of the rows that resemble an earlier one too much; their ends are booked, the others wait."""
        found: set[str] = set()
        if self.guard is None:
            return found
        for place, row in enumerate(batch.rows):
            tokens = batch.tokens.motion_tokens[place]
            reason = self.guard.reason_against(row, frame=batch.frame[place], motion_tokens=tokens)
            if reason is not None:
                found.add(row.id)
                self.ledger.end(row.source, "skipped", row_id=row.id, reason=reason)
        return found

    def _commit(self) -> None:
        self.last_commit = time.monotonic()
        if not self.encoded:
            return
        batch, self.encoded = joined(self.encoded), []
        left_out = self.writer.commit_rows(batch)
        self._end_committed([(row.id, row.source) for row in batch.rows], left_out)

    def _commit_written(self, written: WrittenSegment) -> None:
        """Takes a worker's segment in, or, where near-duplicates are in it, a new one of its other rows."""
        rows: Sequence[tuple[str, str]] = written.rows
        if self.guard is None:
            left_out = self.writer.commit_segment(written.segment, {row_id for row_id, _ in rows})
        else:
            batch = self.writer.written_rows(written.segment)
            alike = self._near_duplicates(batch)
            rows = [(row_id, source) for row_id, source in rows if row_id not in alike]
            if not alike:
                left_out = self.writer.commit_segment(written.segment, {row_id for row_id, _ in rows})
            else:
                kept = batch.without(alike)
                left_out = set() if kept is None else self.writer.commit_rows(kept)
                self.writer.discard([written.segment])
        self._end_committed(rows, left_out)

    def _end_committed(self, rows: Sequence[tuple[str, str]], left_out: set[str]) -> None:
        if self.guard is not None:
            self.guard.forget_uncommitted()
        for clip_id, source in rows:
            if clip_id in left_out:
                gone = clip_id in self.writer.known.removed
                reason = REMOVED if gone else "another builder indexed it meanwhile"
                self.ledger.end(source, "skipped", row_id=clip_id, reason=reason)
            else:
                self.ledger.end(source, "indexed", row_id=clip_id)
                self.committed += 1

    def _end_duplicates(self) -> None:
        failures = {entry.row_id: entry.reason for entry in self.ledger.entries["failed"]}
        for source, clip_id in self.duplicates:
            first = self.first_source[clip_id]
            if clip_id in failures:
                reason = f"same content as {first}, which failed: {failures[clip_id]}"
                self.ledger.end(source, "failed", row_id=clip_id, reason=reason)
            else:
                self.ledger.end(source, "skipped", row_id=clip_id, reason=f"same content as {first}")

    def _report_progress(self, phase: Phase) -> None:
        if self.progress is None:
            return
        entries = self.ledger.entries
        self.progress(
            BuildProgress(
                phase=phase,
                found_videos=self.ledger.found_videos,
                done_videos=self.ledger.done_videos,
                indexed=self.committed + self._encoded_rows,
                committed=self.committed,
                skipped=len(entries["skipped"]),
                failed=len(entries["failed"]),
            )
        )

    def _report(self) -> BuildReport:
        for source in self.ledger.open_sources:
            self.ledger.expect(source, 1)
            self.ledger.end(source, "skipped", reason=INTERRUPTED)
        manifest = self.writer.manifest
        return BuildReport(
            database=str(self.writer.database),
            generation=manifest.generation,
            rows=manifest.row_count - len(manifest.tombstones),
            found_videos=self.ledger.found_videos,
            indexed=self.ledger.sorted("indexed"),
            skipped=self.ledger.sorted("skipped"),
            failed=self.ledger.sorted("failed"),
            seconds=time.monotonic() - self.started,
            interrupted=self.interrupted,
            captions=counted(self.captions, self.ledger, self.caption_source, self.writer),
        )
