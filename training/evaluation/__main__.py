"""`motionrag evaluate`: a pack on clips it never saw, or any folder of generated videos against real ones."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from index_builder.errors import MotionRAGError
from motionrag_nodes.cli.devices import chosen_device
from motionrag_nodes.frames.placement import NONE, OFFLOADS
from training.evaluation.errors import EvaluationInvalid
from training.evaluation.protocol.rows import ROW_NAMES, ROWS
from training.evaluation.videos.loading import AUTO, PRECISIONS, Machine

console = Console()


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {row.name:14}{row.says}" for row in ROWS)
    parser = argparse.ArgumentParser(
        prog="motionrag evaluate",
        description=__doc__,
        epilog=f"rows:\n{listed}\n\nA run that was stopped goes on where it was when it is started again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pack", default="tiny", help="a pack's name or folder (default tiny)")
    parser.add_argument("--clips", type=int, default=64, help="videos a row (default 64)")
    parser.add_argument("--rows", help="only these, separated by commas (default all)")
    parser.add_argument("--output", type=Path, default=Path("evaluation_output"), help="folder for everything")
    parser.add_argument("--steps", type=int, help="denoising steps (default: the pack's)")
    parser.add_argument(
        "--workers", type=int, help="processes that generate (default: one a processor; on an accelerator one)"
    )
    parser.add_argument("--device", default=AUTO, help="cpu, cuda, mps (default: the accelerator where there is one)")
    parser.add_argument("--precision", choices=PRECISIONS, default=AUTO, help="of the video model (default auto)")
    parser.add_argument(
        "--offload",
        choices=OFFLOADS,
        default=NONE,
        help="what waits off the accelerator: nothing, models that are not at work, or each layer (default none)",
    )
    folders = parser.add_argument_group("folders", "compare videos that are there, matched by name")
    folders.add_argument("--real", type=Path, help="folder of real videos")
    folders.add_argument("--generated", type=Path, help="folder of generated videos")
    return parser


def main() -> None:
    """Parse the command line and evaluate."""
    # Spinning while they wait would take the processors from other processes that generate.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[RichHandler(show_path=False)])
    arguments = _parser().parse_args()
    try:
        if (arguments.real is None) != (arguments.generated is None):
            raise EvaluationInvalid(
                "Expected --real and --generated together, received one of them: name both folders."
            )
        machine = Machine(chosen_device(arguments.device), arguments.precision, arguments.offload)
        machine.check()
        if arguments.workers is None:
            arguments.workers = (os.cpu_count() or 1) if machine.device == "cpu" else 1
        if min(arguments.workers, 1 if arguments.steps is None else arguments.steps) < 1:
            raise EvaluationInvalid(
                f"Expected at least 1 step and 1 worker, received {arguments.steps} and {arguments.workers}: raise "
                "them."
            )
        if arguments.real is None:
            _evaluate(arguments, machine)
        else:
            _compare(arguments)
    except MotionRAGError as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        console.print("Stopped. What is done is kept: run the same command to continue.")
        raise SystemExit(130) from None


def _evaluate(arguments: argparse.Namespace, machine: Machine) -> None:
    from training.evaluation.evaluate import evaluate_pack
    from training.evaluation.tables.markdown import write_markdown
    from training.evaluation.tables.plot import write_plot
    from training.evaluation.tables.report import figures_tables, targets_table, write_json

    rows = ROW_NAMES if arguments.rows is None else [name.strip() for name in arguments.rows.split(",")]
    done = evaluate_pack(
        arguments.pack,
        output=arguments.output,
        clips=arguments.clips,
        rows=rows,
        steps=arguments.steps,
        workers=arguments.workers,
        machine=machine,
    )
    title = (
        f"Pack {done.pack}: {done.clips} clips a row, {done.settings.steps} steps; actions named by {done.classifier}"
    )
    console.print(*figures_tables(done.rows, title=title))
    if done.targets:
        console.print(targets_table(done.targets))
    write_json(done, arguments.output / "evaluation.json")
    write_markdown(done, arguments.output / "evaluation.md")
    write_plot(done.rows, arguments.output / "evaluation.png", title=title)
    console.print(f"{arguments.output}: evaluation.json, .md and .png; videos in {done.videos}", soft_wrap=True)


def _compare(arguments: argparse.Namespace) -> None:
    from motionrag_nodes.checkpoints.pack import load_pack
    from training.evaluation.folders import compare_folders, names_shown
    from training.evaluation.tables.plot import write_plot
    from training.evaluation.tables.report import figures_tables, row_record, write_atomically

    with console.status("Reading ...") as status:
        done = compare_folders(
            arguments.real,
            arguments.generated,
            pack=load_pack(arguments.pack),
            on_pair=lambda number, total: status.update(f"Reading {number}/{total} ..."),
        )
    rows = {arguments.generated.name: done.figures}
    title = f"{len(done.pairs)} pairs; judged by {done.classifier}"
    console.print(*figures_tables(rows, title=title))
    if done.unmatched:
        console.print(f"Without a partner, so left out: {names_shown(done.unmatched)}")
    record = {
        "real": str(arguments.real),
        "generated": str(arguments.generated),
        "pack": arguments.pack,
        "action_classifier": done.classifier,
        "pairs": list(done.pairs),
        "unmatched": list(done.unmatched),
        **row_record(done.figures),
    }
    write_atomically(arguments.output / "folders.json", record)
    write_plot(rows, arguments.output / "folders.png", title=title)
    console.print(f"{arguments.output / 'folders.json'} and folders.png", soft_wrap=True)


if __name__ == "__main__":
    main()
