"""`motionrag demo`: clips -> database -> the real ComfyUI -> videos, each step as a user would run it.

A second run repeats nothing that is done: clips are kept, the index builder skips what it holds, and `motionrag render`
skips jobs whose files still match.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import track

from index_builder.errors import MotionRAGError
from training.demo_sheet import Row, write_animation, write_sheet
from training.demo_world.world import ClipSpec, render_clip
from training.demo_world.write_videos import VIDEO_SIZE_PIXELS, write_clips

DEFAULT_OUTPUT = Path("demo_output")
CLIPS = 160
CLIPS_SEED = 7
SEED = 1
DATABASE_NAME = "demo_world"
WORKFLOWS = Path(__file__).resolve().parents[1] / "workflows"
WITH_MOTION = WORKFLOWS / "image_to_video_with_motion.json"
WITHOUT_MOTION = WORKFLOWS / "image_to_video_without_motion.json"
VERSIONS_OF = ("motionrag", "torch", "diffusers", "transformers", "open_clip_torch", "faiss-cpu", "av", "safetensors")

console = Console()


@dataclass(frozen=True)
class Prompt:
    """A job of the demo: what is asked for, and the object of the picture it is asked of."""

    name: str
    text: str
    shape: str
    colour: str
    background: str

    def picture(self) -> Image.Image:
        """The input image: the object at rest in the middle, which says nothing of how it will move."""
        spec = ClipSpec(
            shape=self.shape, colour=self.colour, background=self.background, motion="left",
            x=0.0, y=0.0, radius=0.19, reach=0.3,
        )  # fmt: skip
        return Image.fromarray(render_clip(spec, size=VIDEO_SIZE_PIXELS)[0])


# The objects are of the unseen-object split: no clip of training or of the database shows them.
PROMPTS = (
    Prompt("left", "a pink star slides to the left", "star", "pink", "navy"),
    Prompt("right", "a green heart drifts to the right", "heart", "green", "black"),
    Prompt("up", "a white triangle rises into the air", "triangle", "white", "maroon"),
    Prompt("down", "an orange ring falls down", "ring", "orange", "dark green"),
    Prompt("grow", "a cyan cross comes closer and gets bigger", "cross", "cyan", "grey"),
    Prompt("orbit", "a pink star goes round in a circle", "star", "pink", "black"),
)


class StepFailed(MotionRAGError):
    """A step of the demo ended with an error; its own message is above."""


def run(output: Path, *, comfyui: Path | None) -> None:
    """Run every step into `output` and write report.json last."""
    seconds: dict[str, float] = {}
    output.mkdir(parents=True, exist_ok=True)
    base = output / "comfyui"
    database = base / "models" / "motion_databases" / DATABASE_NAME
    with _step("1/5 clips", seconds):
        bar = iter(track(range(CLIPS), description=f"Writing {CLIPS} clips", console=console))
        table = write_clips(output / "clips", count=CLIPS, seed=CLIPS_SEED, on_clip=lambda done, total: next(bar))
        next(bar, None)
        jobs = write_jobs(output)
    with _step("2/5 database", seconds):
        _motionrag("index", "build", output / "clips", "--output", database, "--captions", table)
    with _step("3/5 ComfyUI", seconds), _comfyui(base, comfyui) as url, _step("4/5 videos", seconds):
        for workflow, rows in ((WITH_MOTION, jobs[0]), (WITHOUT_MOTION, jobs[1])):
            _motionrag("render", workflow, "--jobs", rows, "--server", url, "--output", output / workflow.stem)
    with _step("5/5 contact sheet", seconds):
        rows = [_row(output, prompt) for prompt in PROMPTS]
        write_sheet(rows, output / "contact_sheet.png")
        write_animation(rows, output / "comparison.webp")
    _write_report(output, rows, seconds)
    console.print(
        f"\nDone in {sum(seconds.values()):.0f} s. Look at {output / 'contact_sheet.png'} and the videos in {output}."
    )
    console.print(f"Open the editor with all of it: {_editor_command(output)}")


def open_editor(output: Path, *, comfyui: Path | None) -> None:
    """Runs ComfyUI on the demo's folders until Ctrl-C; before `run` it has what the package brings."""
    for prompt in PROMPTS:
        picture = output / "comfyui" / "input" / f"demo_{prompt.name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        if not picture.exists():
            prompt.picture().save(picture)
    with _comfyui(output / "comfyui", comfyui) as url:
        console.print(f"Open {url} in your browser: Templates > MotionRAG. Ctrl-C ends it.")
        threading.Event().wait()


def _editor_command(output: Path) -> str:
    return "make editor" if output == DEFAULT_OUTPUT else f"motionrag demo --output {output} --editor"


def write_jobs(output: Path) -> tuple[Path, Path]:
    """Input pictures and the two job tables (with motion, without) of the prompts."""
    pictures = output / "pictures"
    pictures.mkdir(exist_ok=True)
    with_motion, without_motion = [], []
    for prompt in PROMPTS:
        path = pictures / f"{prompt.name}.png"
        prompt.picture().save(path)
        common = {
            "name": prompt.name,
            "LoadImage.image": str(path.resolve()),
            "MotionRAGGenerateVideo.seed": SEED,
            "MotionRAGLoadMotionPack.pack": "tiny",
        }
        without_motion.append(common)
        asked = {
            "MotionRAGRetrieveNeighbours.prompt": prompt.text,
            "MotionRAGLoadMotionDatabase.database": DATABASE_NAME,
        }
        with_motion.append({**common, **asked})
    tables = (output / "jobs_with_motion.csv", output / "jobs_without_motion.csv")
    for table, rows in zip(tables, (with_motion, without_motion), strict=True):
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return tables


@contextmanager
def _step(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Announces a step and keeps its seconds (those of steps inside it excluded)."""
    console.rule(f"[bold]{name}", align="left")
    started, inner = time.monotonic(), sum(seconds.values())
    yield
    seconds[name] = time.monotonic() - started - (sum(seconds.values()) - inner)


def _motionrag(*arguments: str | Path) -> None:
    """Run the program as a user would, its progress shown as it comes."""
    command = [sys.executable, "-m", "motionrag_nodes.cli.main", *map(str, arguments)]
    code = subprocess.run(command, check=False).returncode
    if code:
        raise StepFailed(
            f"Expected `motionrag {' '.join(command[3:])}` to succeed, but it ended with code {code}: see its message "
            "above."
        )


@contextmanager
def _comfyui(base: Path, install: Path | None) -> Iterator[str]:
    from motionrag_nodes.batch_render.server.install import find_comfyui
    from motionrag_nodes.batch_render.server.own_server import ComfyUIServer

    found = find_comfyui(install)
    server = ComfyUIServer(found, base=base, environment=_database_path(base))
    with console.status(f"Starting ComfyUI {found.version} ...") as status:
        server.start(
            lambda waited, line: status.update(f"Starting ComfyUI {found.version} ... {waited:.0f} s  {line[:80]}")
        )
    with server:
        console.print(f"ComfyUI {found.version} answers at {server.url}")
        yield server.url


def _database_path(base: Path) -> dict[str, str]:
    """A user's own ComfyUI keeps its models folder: the demo's databases reach it by the environment."""
    return {"MOTIONRAG_DATABASES": str((base / "models" / "motion_databases").resolve())}


def _record(output: Path, workflow: Path, prompt: Prompt) -> dict[str, Any]:
    records = json.loads((output / workflow.stem / "manifest.json").read_text(encoding="utf-8"))["jobs"]
    found = [r for r in records if r["name"] == prompt.name or r["name"].endswith(f"-{prompt.name}")]
    if len(found) != 1:
        raise StepFailed(
            f"Expected one job {prompt.name} in {output / workflow.stem}, found {len(found)}: choose a new --output."
        )
    return found[0]


def _video(output: Path, workflow: Path, record: dict[str, Any]) -> Path:
    return next(output / workflow.stem / o["file"] for o in record["outputs"] if o["file"].endswith(".mp4"))


def _neighbours(record: dict[str, Any]) -> list[dict[str, Any]]:
    return next(shown["neighbours"] for shown in record["shown"].values() if "neighbours" in shown)


def _row(output: Path, prompt: Prompt) -> Row:
    with_motion, without_motion = (_record(output, w, prompt) for w in (WITH_MOTION, WITHOUT_MOTION))
    neighbours = _neighbours(with_motion)
    return Row(
        prompt=prompt.text,
        picture=output / "pictures" / f"{prompt.name}.png",
        neighbour=Path(neighbours[0]["source"]),
        neighbour_caption=neighbours[0]["caption"],
        score=neighbours[0]["score"],
        without_motion=_video(output, WITHOUT_MOTION, without_motion),
        with_motion=_video(output, WITH_MOTION, with_motion),
    )


def _write_report(output: Path, rows: list[Row], seconds: dict[str, float]) -> None:
    jobs = []
    for prompt, row in zip(PROMPTS, rows, strict=True):
        record = _record(output, WITH_MOTION, prompt)
        jobs.append(
            {
                "prompt": prompt.text,
                "with_motion": row.with_motion.relative_to(output).as_posix(),
                "without_motion": row.without_motion.relative_to(output).as_posix(),
                "seconds": record["seconds"],
                "node_seconds": record["node_seconds"],
                "neighbours": _neighbours(record),
            }
        )
    report = {
        "seconds": {name: round(value, 2) for name, value in sorted(seconds.items())},
        "clips": CLIPS,
        "jobs": jobs,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}},
    }
    temporary = output / "report.json.tmp"
    temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, output / "report.json")


def main() -> None:
    """Parse the command line and run the demo."""
    parser = argparse.ArgumentParser(prog="motionrag demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="folder for everything (demo_output)")
    parser.add_argument("--editor", action="store_true", help="make nothing: open the editor on what was made")
    parser.add_argument(
        "--comfyui", type=Path, help="your ComfyUI's folder (default: COMFYUI_PATH, else the installed one)"
    )
    arguments = parser.parse_args()
    try:
        (open_editor if arguments.editor else run)(arguments.output, comfyui=arguments.comfyui)
    except MotionRAGError as error:
        console.print(f"[bold red]Error:[/] {error}", soft_wrap=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        if arguments.editor:
            return
        console.print(f"Stopped. What is done stays in {arguments.output}; run the same command to continue.")
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
