"""`motionrag caption`: captions of videos by a vision-language model, on this machine or behind a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli.devices import chosen_device
from motionrag_nodes.cli.index_build_options import INPUTS
from motionrag_nodes.cli.index_options import AsJson
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from index_builder.captioning.captioner import Captioner
    from index_builder.captioning.run import CaptioningReport

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130
SHOWN = 20


Model = Annotated[
    str | None,
    typer.Option("--model", help="Vision-language model: a folder, a name in the hub cache, or the server's name."),
]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint", help="OpenAI-compatible server (Ollama, vLLM, ...): http://localhost:11434/v1"),
]
Device = Annotated[
    str, typer.Option("--device", help="Where a local model runs: cpu, cuda, mps; auto takes an accelerator if it can.")
]


def caption(
    inputs: Annotated[list[Path] | None, INPUTS] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Table (.csv) to write or to continue; rows in it stay.")
    ] = None,
    sidecars: Annotated[bool, typer.Option("--sidecars", help="Write a .txt beside each video instead.")] = False,
    model: Model = None,
    endpoint: Endpoint = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="What to ask. (default: see --show-prompt)")] = None,
    show_prompt: Annotated[bool, typer.Option("--show-prompt", help="Print what is asked, and do nothing.")] = False,
    device: Device = "auto",
    short_side: Annotated[int, typer.Option("--short-side", min=64, help="Pixels of the frames' short side.")] = 320,
    max_seconds: Annotated[float, typer.Option("--max-seconds", help="Leave longer videos out.")] = 60.0,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", min=8, help="Maximum length of the answer, in tokens.")
    ] = 128,
    as_json: AsJson = False,
) -> None:
    """Describe what moves in videos that have no caption yet, at 3 frames a second of the whole clip.

    What a person wrote, in the table or beside a video, is never changed. Run it again to continue.
    Exit code: 0 done, 1 some failed, 2 bad input, 130 interrupted.
    """
    from index_builder.captioning.caption_files import SidecarStore, TableStore
    from index_builder.captioning.captioner import PROMPT
    from index_builder.captioning.run import caption_videos
    from index_builder.clips.find import VideoFile, find_videos

    asked = prompt if prompt is not None else PROMPT
    if show_prompt:
        typer.echo(asked)
        return
    if not asked.strip():
        raise InvalidSetting("Expected a --prompt in words, received an empty one: leave it out for the usual one.")
    if (output is None) == (not sidecars):
        raise InvalidSetting("Expected --output or --sidecars, received none or both: say where captions go.")
    if model is None:
        raise InvalidSetting(
            "Expected --model, received none: name a folder, a model in the hub cache, e.g. "
            "Qwen/Qwen2.5-VL-3B-Instruct, or that of the --endpoint."
        )
    found = find_videos(inputs or [])
    videos = [entry for entry in found if isinstance(entry, VideoFile)]
    store = SidecarStore() if output is None else TableStore(output, videos)
    console = Console(stderr=True)
    with console.status("loading the model"):
        captioner = _captioner(model, endpoint, device, max_tokens)
    with _progress_bar(console) as progress:
        report = caption_videos(
            found,
            captioner=captioner,
            store=store,
            prompt=asked,
            short_side=short_side,
            max_seconds=max_seconds,
            progress=progress,
        )
    _tell(report, as_json)


@contextmanager
def _progress_bar(console: Console) -> Iterator[Callable[[int, int, str], None]]:
    columns = BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
    with Progress(TextColumn("captioning"), *columns, TextColumn("left"), console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total, last: bar.update(task, completed=done, total=total)


def _captioner(model: str, endpoint: str | None, device: str, max_tokens: int) -> Captioner:
    if endpoint is not None:
        from index_builder.captioning.endpoint import EndpointCaptioner

        return EndpointCaptioner(endpoint, model=model, max_tokens=max_tokens)
    from index_builder.captioning.local_model import load_local_captioner

    return load_local_captioner(model, device=chosen_device(device), max_tokens=max_tokens)


def _tell(report: CaptioningReport, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
    else:
        console = Console()
        for source, text in list(report.captioned.items())[:SHOWN]:
            console.print(f"{escape(source)}: {escape(text)}", soft_wrap=True, highlight=False)
        for source, reason in list(report.failed.items())[:SHOWN]:
            console.print(f"[red]failed[/] {escape(source)}: {escape(reason)}", soft_wrap=True, highlight=False)
        counts = len(report.captioned), len(report.skipped), len(report.failed)
        console.print("{} captioned, {} skipped, {} failed".format(*counts))
    if report.interrupted:
        raise typer.Exit(EXIT_INTERRUPTED)
    if report.failed:
        raise typer.Exit(EXIT_FAILED)
