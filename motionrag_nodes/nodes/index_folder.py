"""Index Folder: builds a motion database from a folder of videos, or extends one, inside the editor."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from index_builder.captions.counts import caption_lines
from index_builder.errors import InputNotFound
from motionrag_nodes.nodes import model_folders, pictures, previews, video_folders
from motionrag_nodes.nodes.checks import faults, refused
from motionrag_nodes.nodes.sockets import MotionDatabaseSocket, MotionPackSocket

if TYPE_CHECKING:
    from index_builder.build_report import BuildProgress, BuildReport, ProgressCallback
    from motionrag_nodes.checkpoints.pack import MotionPack

_SHOWN_REASONS = 10


class IndexFolder(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGIndexFolder",
            display_name="Index Folder",
            category="MotionRAG",
            description=(
                "Makes a motion database from a folder of your videos, or adds them to an existing one. Cancel keeps "
                "what is done; run again to continue. (build database, library, own videos)"
            ),
            is_output_node=True,
            inputs=_inputs(),
            outputs=[
                MotionDatabaseSocket.Output(
                    "motion_database",
                    display_name="database",
                    tooltip="For Retrieve Neighbours or Motion Database Info.",
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="What was indexed, skipped and failed, and why."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, folder: str | None = None, captions: str | None = None, name: str | None = None) -> Any:
        return faults(
            folder=refused(video_folders.folder, folder),
            captions=refused(video_folders.captions, captions),
            name=refused(model_folders.new_database, name),
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str, captions: str, **_: Any) -> str:
        """Of the videos' names, sizes and times: new or changed ones are noticed when queued again."""
        table = video_folders.captions(captions)
        files = video_folders.files_below(video_folders.folder(folder))
        listed = (
            f"{file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in (*files, *([table] if table else []))
        )
        return hashlib.sha256("\n".join(listed).encode(errors="replace")).hexdigest()

    @classmethod
    def execute(cls, pack: MotionPack, folder: str, name: str, clips_per_video: int, captions: str) -> io.NodeOutput:
        from index_builder.database.search.reader import MotionDatabase
        from index_builder.report.sample_sheet import draw_sample_sheet

        target = model_folders.new_database(name)
        report = _build(
            pack,
            video_folders.folder(folder),
            target,
            captions=video_folders.captions(captions),
            clips_per_video=clips_per_video or None,
        )
        database = MotionDatabase.open(target)
        text = _described(report)
        sheet = pictures.from_pil(draw_sample_sheet(database))
        return io.NodeOutput(database, text, ui={**previews.pictures(sheet), **previews.text(text)})


def _inputs() -> list[io.Input]:
    return [
        MotionPackSocket.Input("pack", tooltip="From Load Motion Pack. The database belongs to it."),
        io.Combo.Input(
            "folder",
            options=model_folders.options(video_folders.folders()),
            tooltip="The videos: a folder below ComfyUI's input folder, or below one named motion_videos in "
            "extra_model_paths.yaml. Sub-folders are searched too.",
        ),
        io.String.Input(
            "name",
            default="my_motions",
            tooltip="The database, in models/motion_databases. If it exists already, it is extended.",
        ),
        io.Int.Input(
            "clips_per_video",
            default=1,
            min=0,
            max=10_000,
            tooltip="Clips of two seconds cut from each longer video, spread evenly. 0 takes as many as fit.",
        ),
        io.Combo.Input(
            "captions",
            options=[video_folders.SIDECARS, *video_folders.caption_tables()],
            default=video_folders.SIDECARS,
            tooltip="What happens in each video: a .txt file beside it, or a table (.csv, .tsv, .jsonl, .parquet) "
            "with the columns path and caption, in the folder.",
        ),
    ]


def _build(
    pack: MotionPack, folder: Path, target: Path, *, captions: Path | None, clips_per_video: int | None
) -> BuildReport:
    """Runs the build under ComfyUI's progress bar and cancel button. Raises InputNotFound when nothing was usable."""
    import comfy.model_management

    from index_builder.build import build_database
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    try:
        with pack.residence.uninterrupted():
            report = build_database(
                [folder],
                output=target,
                encoder=PackClipEncoder(pack),
                captions=captions,
                clips_per_video=clips_per_video,
                progress=_shown_progress(),
                should_stop=comfy.model_management.processing_interrupted,
            )
    finally:
        pack.release()
    if report.interrupted:
        comfy.model_management.throw_exception_if_processing_interrupted()
    if report.rows == 0:
        raise InputNotFound(
            f"Expected at least one video that can be read in {folder}, found none. {_described(report)}"
        )
    return report


def _shown_progress() -> ProgressCallback:
    """Draws the node's bar. A cancel is left to `should_stop`: the bar would end the build without a commit."""
    import comfy.model_management
    import comfy.utils

    bar = comfy.utils.ProgressBar(1)

    def show(progress: BuildProgress) -> None:
        done = progress.done_videos + progress.indexed - progress.committed
        try:
            bar.update_absolute(min(done, progress.found_videos), progress.found_videos)
        except comfy.model_management.InterruptProcessingException:
            comfy.model_management.interrupt_current_processing()

    return show


def _described(report: BuildReport) -> str:
    lines = [
        f"{report.rows} clips in {report.database}, generation {report.generation}",
        f"this time: {len(report.indexed)} indexed, {len(report.skipped)} skipped, {len(report.failed)} failed",
        *(line for _, line in caption_lines(report.captions, database=report.database)),
    ]
    lines += [f"failed: {entry.source}: {entry.reason}" for entry in report.failed[:_SHOWN_REASONS]]
    if len(report.failed) > _SHOWN_REASONS:
        lines.append(f"and {len(report.failed) - _SHOWN_REASONS} more failed")
    return "\n".join(lines)
