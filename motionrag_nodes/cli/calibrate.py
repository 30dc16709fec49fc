"""`motionrag calibrate`: a pack's adapted motion gets its full amplitude back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# From here on motions are as large as they should be, and nothing is to be gained.
RIGHT_SLOPE = 0.97


def calibrate(
    pack: Annotated[str, typer.Option(help="The pack to calibrate: a packaged one's name, or a folder.")],
    database: Annotated[
        Path, typer.Option(help="A database of captioned clips that the pack was not trained on, built for this pack.")
    ],
    clips: Annotated[int, typer.Option(min=32, help="How many of its clips to use.")] = 256,
    force: Annotated[bool, typer.Option("--force", help="Calibrate even where it is hardly needed.")] = False,
) -> None:
    """Measure how much a pack's context transformer shrinks motions, and keep a correction in the pack.

    Needed if the slope is below 0.97: adapted motion then does not go as far as the clips' own. Databases and motion
    tokens do not change.
    """
    # Heavy: torch comes with it, and `motionrag --help` should not wait for that.
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.adapted_tokens.calibrate import calibrate as fit
    from motionrag_nodes.checkpoints.pack import load_pack, write_calibration
    from motionrag_nodes.cli.devices import AUTO, chosen_device
    from motionrag_nodes.cli.output_folder import check_output_folder
    from motionrag_nodes.cli.terminal import Console

    console = Console()
    loaded, opened = load_pack(pack, device=chosen_device(AUTO)), MotionDatabase.open(database)
    check_output_folder(loaded.folder)
    with console.status("Adapting ...") as status:
        found = fit(
            loaded, opened, clips=clips, on_clip=lambda done, total: status.update(f"Adapting: {done}/{total} clips")
        )
    console.print(
        f"Slope of adapted against true motion tokens, {found.clips} clips: {found.before:.3f}; calibrated "
        f"{found.after:.3f} (each half of the clips by the other half's line). 1 is right."
    )
    if found.before >= RIGHT_SLOPE and not force:
        console.print("Motions are as large as they should be: the pack stays as it is.")
        return
    write_calibration(loaded.folder, found.calibration)
    console.print(f"Calibrated {loaded.folder}", soft_wrap=True)
