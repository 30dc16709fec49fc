"""`python -m training.samples`: makes what the package brings so that every template runs at once.

A motion database of the demo world, pictures to animate, a reference video, and a folder of clips to index. All are
drawn from seeds, and the database is made by the index builder. It is of the tiny pack: after that pack's encoders were
trained again, make the samples again.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from rich.console import Console

from index_builder.build import build_database
from index_builder.database.commit.publisher import Publisher
from index_builder.database.maintain.compact import compact_database
from index_builder.database.maintain.rewrite_rows import RowChange, rewrite_rows
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.checkpoints.find_models import PACKAGED_SAMPLES
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo import DATABASE_NAME, Prompt
from training.demo_world.write_videos import write_clips

CLIPS, CLIPS_SEED = 64, 7
OWN_CLIPS, OWN_SEED = 8, 31
# Shape, colour and background, each at rest in the middle.
PICTURES = {
    "motionrag_circle.png": ("circle", "yellow", "navy"),
    "motionrag_square.png": ("square", "cyan", "maroon"),
    "motionrag_diamond.png": ("diamond", "white", "dark green"),
    "motionrag_ring.png": ("ring", "orange", "black"),
}
REFERENCE = "motionrag_reference.mp4"
REFERENCE_SAYS = "left"


def make_samples(target: Path) -> None:
    """Writes everything into `target`, which is replaced."""
    with tempfile.TemporaryDirectory() as scratch:
        made, clips = Path(scratch) / "samples", Path(scratch) / DATABASE_NAME
        table = write_clips(clips, count=CLIPS, seed=CLIPS_SEED)
        _build(clips, table, made / "databases" / DATABASE_NAME)
        inputs = made / "input"
        inputs.mkdir()
        for name, (shape, colour, background) in PICTURES.items():
            Prompt(name, "", shape, colour, background).picture().save(inputs / name)
        shutil.copyfile(_clip_that_says(REFERENCE_SAYS, clips, table), inputs / REFERENCE)
        _own_clips(Path(scratch) / "own", made / "motionrag_clips")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target)


def _build(clips: Path, table: Path, output: Path) -> None:
    """A database whose rows call their videos by their place below its name, not by where they were made."""
    report = build_database([clips], output=output, encoder=PackClipEncoder(load_pack("tiny")), captions=table)
    if len(report.indexed) != CLIPS:
        raise SystemExit(f"Expected {CLIPS} clips, found {len(report.indexed)} indexed: see the report in {output}.")
    sources = MotionDatabase.open(output).each_row("id", "source")
    places = {row_id: PurePosixPath(DATABASE_NAME, Path(source).relative_to(clips)) for row_id, source in sources}
    with Publisher.open(output) as publisher:
        rewrite_rows(publisher, {row: RowChange(values={"source": str(place)}) for row, place in places.items()})
    compact_database(output)
    (output / "report.html").unlink(missing_ok=True)


def _clip_that_says(word: str, clips: Path, table: Path) -> Path:
    with table.open(encoding="utf-8") as file:
        return next(clips / row["path"] for row in csv.DictReader(file) if word in row["caption"])


def _own_clips(drawn: Path, folder: Path) -> None:
    """A folder as a user would have it: videos, and a text file beside each that says what happens."""
    folder.mkdir()
    with write_clips(drawn, count=OWN_CLIPS, seed=OWN_SEED).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = Path(row["path"]).name
            shutil.copyfile(drawn / row["path"], folder / name)
            (folder / name).with_suffix(".txt").write_text(row["caption"] + "\n", encoding="utf-8")


def main() -> None:
    """Make them in the package, or elsewhere."""
    parser = argparse.ArgumentParser(prog="python -m training.samples", description=__doc__)
    parser.add_argument("--output", type=Path, default=PACKAGED_SAMPLES, help="folder that is replaced")
    target = parser.parse_args().output
    make_samples(target)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    Console().print(f"{size / 1e6:.2f} MB in {target}")


if __name__ == "__main__":
    main()
