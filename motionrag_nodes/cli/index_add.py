"""`motionrag index add`: more videos into a database that exists."""

from __future__ import annotations

from index_builder.database.format.manifest import newest_manifest
from motionrag_nodes.cli.index_build import run_build
from motionrag_nodes.cli.index_build_options import (
    DEFAULT_SCENE_THRESHOLD,
    MAX_DECODE_SECONDS,
    MAX_MEMORY_MIB,
    MAX_PIXELS,
    MAX_VIDEO_HOURS,
    Batch,
    CaptionColumn,
    CaptionTable,
    ClipsPerVideo,
    Device,
    Inputs,
    MaxDecodeSeconds,
    MaxMemory,
    MaxPixels,
    MaxVideoHours,
    NearDuplicates,
    Page,
    Scenes,
    SceneThreshold,
    Several,
    SeveralCaptions,
    Workers,
    caption_plan,
    clip_count,
    decode_limits,
)
from motionrag_nodes.cli.index_options import AsJson, Database, Pack
from motionrag_nodes.cli.index_work import DEFAULT_TARGET_RECALL, TargetRecall, index_plan


def add(
    database: Database,
    inputs: Inputs,
    captions: CaptionTable = None,
    caption_column: CaptionColumn = None,
    several_captions: SeveralCaptions = Several.first,
    pack: Pack = "tiny",
    workers: Workers = None,
    clips_per_video: ClipsPerVideo = "1",
    scenes: Scenes = False,
    scene_threshold: SceneThreshold = DEFAULT_SCENE_THRESHOLD,
    near_duplicates: NearDuplicates = None,
    target_recall: TargetRecall = DEFAULT_TARGET_RECALL,
    max_pixels: MaxPixels = MAX_PIXELS,
    max_decode_seconds: MaxDecodeSeconds = MAX_DECODE_SECONDS,
    max_memory_mib: MaxMemory = MAX_MEMORY_MIB,
    max_video_hours: MaxVideoHours = MAX_VIDEO_HOURS,
    batch: Batch = None,
    device: Device = "auto",
    page: Page = None,
    as_json: AsJson = False,
) -> None:
    """Bring more videos into a database that exists; what it holds already is skipped, removed clips stay removed.

    Exit code: 0 done, 2 bad input, 130 interrupted.
    """
    # A mistyped name should not become a new database: that is what build is for.
    newest_manifest(database)
    settings = {
        "captions": caption_plan(captions, caption_column, several_captions),
        "workers": workers,
        "clips_per_video": clip_count(clips_per_video),
        "scene_threshold": scene_threshold if scenes else None,
        "near_duplicates": near_duplicates,
        "batch_clips": batch,
        "index_plan": index_plan(target_recall=target_recall),
        "limits": decode_limits(
            pixels=max_pixels, seconds=max_decode_seconds, memory_mib=max_memory_mib, hours=max_video_hours
        ),
    }
    run_build(inputs, database, pack, settings, page, as_json, device=device)
