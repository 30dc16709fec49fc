"""`python -m training.evaluation.motion_retrieval`: how often the clips found move as asked, with and without looks.

Captions of the demo world name an object and a movement. Of the clips found for the caption of another clip: how many
move so, how many show the same object, and how many of the others move so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from index_builder.database.search.appearance import fit_appearance
from index_builder.features.encoders import EncoderSpec
from index_builder.features.sentence_encoder import DEFAULT_MODEL, carried_by_package, load_sentence_encoder
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo_world.world import ClipSpec, draw_spec, render_clip

SIZE, SEED, TOP_K = 64, 20_261_129, 9
SENTENCE = EncoderSpec(kind="sentence", source=DEFAULT_MODEL, preprocessing=None, fingerprint="sentence")
Encode = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Of the neighbours found: how many move as asked, show the same object, move as asked among those of another
    object; and of how many neighbours that last share is."""

    motion: float
    same_object: float
    motion_of_others: float
    others: int


def shares_of(
    asked: np.ndarray, stored: np.ndarray, queries: Sequence[ClipSpec], clips: Sequence[ClipSpec], *, top_k: int = TOP_K
) -> Shares:
    """asked: float32 [Q, E] of the queries; stored: float32 [N, E] of the clips; both normalised."""
    found = np.argsort(-(asked @ stored.T), axis=1, kind="stable")[:, :top_k]
    right = np.array([[clips[n].motion == q.motion for n in row] for q, row in zip(queries, found, strict=True)])
    same = np.array([[_thing(clips[n]) == _thing(q) for n in row] for q, row in zip(queries, found, strict=True)])
    others = right[~same]
    return Shares(
        motion=float(right.mean()),
        same_object=float(same.mean()),
        motion_of_others=float(others.mean()) if len(others) else 0.0,
        others=len(others),
    )


def measure(encode: Encode, frames: np.ndarray, specs: Sequence[ClipSpec], captions: Sequence[str], *, clips: int):
    """(Shares with whole captions, Shares without looks); the specs behind the first `clips` are the queries."""
    text = encode(captions)
    part = fit_appearance(text[:clips], frames[:clips])
    sides = (text, part.removed(text))
    return tuple(shares_of(side[clips:], side[:clips], specs[clips:], specs[:clips]) for side in sides)


def _thing(spec: ClipSpec) -> tuple[str, str]:
    return spec.colour, spec.shape


def main() -> None:
    """Parse the command line, measure, print the table."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.motion_retrieval", description=__doc__)
    parser.add_argument("--pack", default="tiny")
    parser.add_argument("--clips", type=int, default=512, help="clips to search (default 512)")
    parser.add_argument("--queries", type=int, default=128, help="captions of other clips to ask with (default 128)")
    parser.add_argument("--output", type=Path, help="write the shares as JSON too")
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    specs = [draw_spec(rng) for _ in range(arguments.clips + arguments.queries)]
    captions = [spec.caption(rng) for spec in specs]
    encoder = PackClipEncoder(load_pack(arguments.pack))
    frames = encoder.encode_frames(np.stack([render_clip(spec, size=SIZE, frames=1)[0] for spec in specs]))
    encoders: dict[str, Encode] = {f"pack {arguments.pack}": encoder.encode_text}
    if carried_by_package(SENTENCE) is not None:
        encoders[DEFAULT_MODEL] = load_sentence_encoder(SENTENCE, folder=Path("nowhere")).encode_text
    table = Table("captions read by", "looks", "move as asked", "same object", "of the others move as asked")
    found = {}
    for name, encode in encoders.items():
        pair = measure(encode, frames, specs, captions, clips=arguments.clips)
        found[name] = [asdict(shares) for shares in pair]
        for looks, shares in zip(("compared", "ignored"), pair, strict=True):
            others = f"{100 * shares.motion_of_others:.1f} % of {shares.others}"
            table.add_row(name, looks, f"{100 * shares.motion:.1f} %", f"{100 * shares.same_object:.1f} %", others)
    Console().print(table)
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
