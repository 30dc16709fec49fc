"""Building a motion database: find videos, decode clips in workers, encode in batches, commit segment by segment.

Whatever was committed stays; a build that was stopped goes on with the clips that are in no committed segment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from index_builder.build_captions import counted
from index_builder.build_report import (
    ALREADY_INDEXED,
    INTERRUPTED,
    BuildProgress,
    BuildReport,
    Ledger,
    ProgressCallback,
)
from index_builder.captions.captions import CaptionPlan, Captions
from index_builder.captions.counts import Source
from index_builder.clips.cutting import Cutting
from index_builder.clips.find import Unusable, VideoFile, find_videos
from index_builder.clips.messages import Inspected
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.windows import cut_short, row_id
from index_builder.database.commit.output_folder import check_output
from index_builder.database.commit.publisher import writing
from index_builder.database.format.manifest import FIRST_VERSION, FORMAT_VERSION, Manifest, TokensSpace
from index_builder.database.maintain.near_duplicates import NearDuplicateGuard
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.certified_index import IndexPlan
from index_builder.engines.encode import EncodedClip, encode_clips, row_batch
from index_builder.engines.engine import Engine, EngineWork, Event, FailedClip, PlannedClip, ReadyClip, WrittenSegment
from index_builder.engines.local import LocalEngine
from index_builder.errors import InvalidSetting, RecallBelowTarget
from index_builder.features.clip_encoder import ClipEncoder

logger = logging.getLogger(__name__)
REMOVED = "removed from this database earlier: motionrag index restore brings it back"


def build_database(
    inputs: Sequence[Path],
    *,
    output: Path,
    encoder: ClipEncoder,
    captions: CaptionPlan | Path | None = None,
    workers: int | None = None,
    clips_per_video: int | None = 1,
    scene_threshold: float | None = None,
    near_duplicates: float | None = None,
    limits: DecodeLimits | None = None,
    batch_clips: int = 8,
    commit_clips: int = 512,
    commit_sec: float = 60.0,
    progress: ProgressCallback | None = None,
    engine: Engine | None = None,
    index_plan: IndexPlan | None = None,
) -> BuildReport:
    """Brings the clips of all videos under `inputs` into the database at `output`, which is made where missing.

    captions: a table (see `read_table`), or more about them (see `CaptionPlan`); without it, what lies beside the
    videos serves. Rows of a table may give clips their windows. workers: decode processes, by default one a processor.
    clips_per_video: windows of each longer video, None for as many as fit; with `scene_threshold` (27 suits most) of
    each of its scenes. near_duplicates in (0, 1]: a clip that resembles an earlier one at least so much is skipped (see
    `near_duplicates`). A segment is committed every `commit_clips` clips or `commit_sec` seconds. engine: what decodes,
    by default `workers` on this machine. Videos that cannot be read are reported, not raised.
    Ctrl-C commits what is encoded and returns a report that says `interrupted`.
    Raises InputNotFound, CaptionTableInvalid, InvalidSetting, DatabaseMismatch, DatabaseDamaged, DatabaseNotWritable,
    CommitConflict; RecallBelowTarget, which carries the report, when all is committed but the index is too poor.
    """
    if min(batch_clips, commit_clips) < 1:
        raise InvalidSetting(
            f"expected batch_clips and commit_clips of at least 1, received {batch_clips}, {commit_clips}: raise them"
        )
    if workers is not None and workers < 1:
        raise InvalidSetting(f"expected at least 1 worker, received {workers}: raise --workers")
    if near_duplicates is not None and engine is not None:
        raise InvalidSetting(
            "expected near_duplicates with the local engine only, since others commit what their workers encoded: run "
            "motionrag index remove DATABASE --near-duplicates afterwards"
        )
    cutting = Cutting(clips_per_video=clips_per_video, scene_threshold=scene_threshold)
    guard = None if near_duplicates is None else NearDuplicateGuard(output, near_duplicates)
    check_output(output)
    found = find_videos(inputs)
    plan = captions if isinstance(captions, CaptionPlan) else CaptionPlan(table=captions)
    table = Captions(plan, [entry for entry in found if isinstance(entry, VideoFile)])
    sampling = cutting.recorded(clip_seconds=encoder.clip_seconds)
    if table.has_windows:
        sampling["windows"] = "those of the caption table"
    with (
        writing(output, remedy="run the build again"),
        DatabaseWriter(output, template=_template(encoder), sampling=sampling) as writer,
    ):
        build = _Build(writer, encoder, table, found, batch_clips, commit_clips, commit_sec, progress, cutting, guard)
        return build.run(engine or LocalEngine(workers=workers), limits or DecodeLimits(), index_plan)


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
            "frames": encoder.clip_frames,
            "seconds": float(encoder.clip_seconds),
            "short_side": encoder.short_side,
        },
        decoders={name: _version_of(name) for name in ("decord", "av")},
    )


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


class _Build:
    """One run: the books, the clips that wait to be encoded, and the rows that wait to be committed."""

    def __init__(
        self,
        writer: DatabaseWriter,
        encoder: ClipEncoder,
        captions: Captions,
        found: Sequence[VideoFile | Unusable],
        batch_clips: int,
        commit_clips: int,
        commit_sec: float,
        progress: ProgressCallback | None,
        cutting: Cutting,
        guard: NearDuplicateGuard | None,
    ) -> None:
        self.cutting, self.guard = cutting, guard
        self.writer, self.encoder, self.captions, self.found = writer, encoder, captions, found
        self.batch_clips, self.commit_clips, self.commit_sec = batch_clips, commit_clips, commit_sec
        self.progress = progress
        self.started = self.last_commit = time.monotonic()
        self.ledger = Ledger(entry.source if isinstance(entry, VideoFile) else entry.path for entry in found)
        self.waiting: list[ReadyClip] = []
        self.encoded: list[EncodedClip] = []
        self.first_source: dict[str, str] = {}
        self.caption_source: dict[str, Source | None] = {}
        self.duplicates: list[tuple[str, str]] = []
        self.committed = 0
        self.interrupted = False

    def run(self, engine: Engine, limits: DecodeLimits, index_plan: IndexPlan | None) -> BuildReport:
        self._report_progress("reading")
        videos = [entry for entry in self.found if self._is_new(entry)]
        events = engine.clips(videos, self._plan, self._work(limits))
        try:
            for event in events:
                self._take(event)
            self._encode()
            self._commit()
            self._end_duplicates()
            self._report_progress("indexing")
            self.writer.commit_indexes(index_plan)
        except KeyboardInterrupt:
            logger.info("interrupted: committing what is encoded")
            self.interrupted = True
            events.close()
            self._commit()
        except RecallBelowTarget as error:
            error.report = self._report()
            raise
        self._report_progress("done")
        return self._report()

    def _is_new(self, entry: VideoFile | Unusable) -> bool:
        """Whether the video needs to be looked into; books the end of one that does not."""
        if isinstance(entry, Unusable):
            self.ledger.end(entry.path, "failed" if entry.failed else "skipped", reason=entry.reason)
            return False
        known = self.writer.known.row_of(entry.source, entry.size_bytes, entry.mtime_ns)
        # With several clips a video, an earlier run may have left out one that failed.
        if known is None or not self.cutting.one_clip_a_video or self.captions.windows(entry):
            return True
        reason = REMOVED if known in self.writer.known.removed else ALREADY_INDEXED
        self.ledger.end(entry.source, "skipped", row_id=known, reason=reason)
        return False

    def _plan(self, video: VideoFile, inspected: Inspected) -> list[PlannedClip]:
        """The clips of the video that are in no committed segment and not of the content of an earlier video."""
        asked = self.captions.windows(video)
        if not asked:
            asked = self.cutting.windows(inspected, clip_seconds=self.encoder.clip_seconds)
        self.ledger.expect(video.source, len(asked))
        planned = []
        for whole in asked:
            window = cut_short(whole, inspected.duration_sec)
            if window is None:
                reason = f"its window of {whole.start_sec:g} to {whole.end_sec:g} s begins behind its end"
                self.ledger.end(video.source, "failed", reason=f"{reason} at {inspected.duration_sec:g} s")
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

    def _work(self, limits: DecodeLimits) -> EngineWork:
        return EngineWork(
            database=self.writer.database,
            clip_frames=self.encoder.clip_frames,
            short_side=self.encoder.short_side,
            limits=limits,
            batch_clips=self.batch_clips,
            commit_clips=self.commit_clips,
            scene_threshold=self.cutting.scene_threshold,
            new_ticket=self.writer.new_ticket,
        )

    def _take(self, event: Event) -> None:
        if isinstance(event, FailedClip):
            self._fail(event)
        elif isinstance(event, WrittenSegment):
            left_out = self.writer.commit_segment(event.segment, {planned.row_id for planned in event.clips})
            self._end_committed(event.clips, left_out)
        else:
            self.waiting.append(event)
        if len(self.waiting) >= self.batch_clips:
            self._encode()
        overdue = time.monotonic() - self.last_commit > self.commit_sec
        if len(self.encoded) >= self.commit_clips or (self.encoded and overdue):
            self._commit()
        self._report_progress("encoding")

    def _fail(self, clip: FailedClip) -> None:
        row_id = clip.planned.row_id if clip.planned else None
        self.ledger.end(clip.video.source, "failed", row_id=row_id, reason=clip.reason)

    def _encode(self) -> None:
        if not self.waiting:
            return
        batch, self.waiting = self.waiting, []
        encoded, failed = encode_clips(self.encoder, batch)
        self.encoded += encoded if self.guard is None else self._without_near_duplicates(self.guard, encoded)
        for clip in failed:
            self._fail(clip)

    def _without_near_duplicates(self, guard: NearDuplicateGuard, encoded: list[EncodedClip]) -> list[EncodedClip]:
        kept = []
        for clip in encoded:
            reason = guard.reason_against(clip.row, frame=clip.features[1], motion_tokens=clip.features[2])
            if reason is None:
                kept.append(clip)
            else:
                self._skip(clip.planned.video, clip.planned.row_id, reason)
        return kept

    def _commit(self) -> None:
        self.last_commit = time.monotonic()
        if not self.encoded:
            return
        encoded, self.encoded = self.encoded, []
        left_out = self.writer.commit_rows(row_batch(encoded))
        if self.guard is not None:
            self.guard.forget_uncommitted()
        self._end_committed([clip.planned for clip in encoded], left_out)

    def _end_committed(self, clips: Sequence[PlannedClip], left_out: set[str]) -> None:
        for planned in clips:
            source, clip_id = planned.video.source, planned.row_id
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

    def _report_progress(self, phase) -> None:
        if self.progress is None:
            return
        entries = self.ledger.entries
        self.progress(
            BuildProgress(
                phase=phase,
                found_videos=self.ledger.found_videos,
                done_videos=self.ledger.done_videos,
                indexed=self.committed + len(self.encoded),
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
