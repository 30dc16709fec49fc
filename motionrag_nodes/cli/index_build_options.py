"""Options of the commands that index videos: what to take, how to cut it, what to refuse."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli.index_work import DEFAULT_TARGET_RECALL, TargetRecall, index_plan

if TYPE_CHECKING:
    from index_builder.captions.captions import CaptionPlan
    from index_builder.clips.timeline import DecodeLimits

DEFAULT_SCENE_THRESHOLD = 27.0
# The defaults of DecodeLimits, in the units of the options.
MAX_PIXELS, MAX_DECODE_SECONDS, MAX_MEMORY_MIB, MAX_VIDEO_HOURS = 8192 * 4352, 60.0, 6144, 12.0

INPUTS = typer.Argument(
    help='Folders (searched recursively), videos and quoted patterns ("clips/**/a*.mp4"), any number.'
)
Inputs = Annotated[list[Path], INPUTS]
CaptionTable = Annotated[
    Path | None,
    typer.Option(
        "--captions",
        help="Table (.csv, .tsv, .jsonl, .json, .parquet, WebDataset .tar) with columns path and caption, perhaps "
        "start_sec and end_sec; else .txt and .json beside the videos, or metadata.csv of their folder.",
    ),
]
CaptionColumn = Annotated[
    str | None,
    typer.Option("--caption-column", help=r"The table's column with the captions. \[default: caption, or text]"),
]


class Several(str, Enum):
    """What becomes of a clip with several different captions."""

    first = "first"
    all = "all"
    error = "error"


SeveralCaptions = Annotated[
    Several,
    typer.Option(
        "--several-captions", help="With several captions for a clip: first, all (as alternatives), or error."
    ),
]
Workers = Annotated[int | None, typer.Option("--workers", help=r"Decode processes. \[default: one per CPU]")]
ClipsPerVideo = Annotated[
    str, typer.Option("--clips-per-video", help="Clips cut from each longer video (or scene): a number, or all.")
]
Scenes = Annotated[
    bool,
    typer.Option("--scenes", help=r"Cut videos into scenes first: no clip spans a cut (needs motionrag\[scenes])."),
]
SceneThreshold = Annotated[
    float,
    typer.Option("--scene-threshold", help="How much a frame must differ to be a cut, 0 to 255; less cuts more."),
]
NearDuplicates = Annotated[
    float | None,
    typer.Option(
        "--near-duplicates",
        help="Skip clips that resemble an earlier one this much or more, in first frame and motion: 0 to 1, e.g. 0.97.",
    ),
]
MaxPixels = Annotated[int, typer.Option("--max-pixels", help="Refuse videos with larger frames, in pixels.")]
MaxDecodeSeconds = Annotated[
    float, typer.Option("--max-decode-seconds", help="Give up on a video that makes no progress for this many seconds.")
]
MaxMemory = Annotated[
    int, typer.Option("--max-memory-mib", help="Memory that one decode process may use, in MiB (on Linux).")
]
MaxVideoHours = Annotated[float, typer.Option("--max-video-hours", help="Refuse longer videos, in hours.")]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch", help=r"Clips encoded at a time. \[default: 8; on a GPU as many as its memory holds, up to 64]"
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", help="What encodes: cpu, cuda, cuda:1, mps; auto takes an accelerator if it can."),
]
Page = Annotated[
    Path | None,
    typer.Option("--report", help=r"Where to write the build's report (HTML). \[default: report.html in the database]"),
]


def build_settings(
    captions: CaptionTable = None,
    caption_column: CaptionColumn = None,
    several_captions: SeveralCaptions = Several.first,
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
) -> dict[str, Any]:
    """The arguments of `build_database` that the options ask for. Raises InvalidSetting."""
    return {
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


def takes_build_settings(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of `build_settings`, whose result its parameter `settings` receives.

    Typer reads a command's options from its signature: theirs stand where `settings` stood.
    """
    shared = inspect.signature(build_settings, eval_str=True).parameters

    @functools.wraps(command)
    def run(**given: Any) -> None:
        settings = build_settings(**{name: given.pop(name) for name in shared})
        command(**given, settings=settings)

    own = inspect.signature(command, eval_str=True).parameters
    place = list(own).index("settings")
    parameters = [*list(own.values())[:place], *shared.values(), *list(own.values())[place + 1 :]]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions may have one
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def clip_count(given: str) -> int | None:
    """None for "all"."""
    if given == "all":
        return None
    if not given.isdecimal() or int(given) < 1:
        raise InvalidSetting(
            f"Expected a number of at least 1 or all for --clips-per-video, received {given}: correct it."
        )
    return int(given)


def decode_limits(*, pixels: int, seconds: float, memory_mib: int, hours: float) -> DecodeLimits:
    """The limits that the options ask for."""
    from index_builder.clips.timeline import DecodeLimits

    return DecodeLimits(
        max_pixels=pixels,
        stalled_sec=seconds,
        memory_bytes=memory_mib << 20,
        max_duration_sec=hours * 3600,
    )


def caption_plan(table: Path | None, column: str | None, several: Several) -> CaptionPlan:
    """The plan that the options ask for."""
    from index_builder.captions.captions import CaptionPlan

    return CaptionPlan(table=table, column=column, several=several.value)
