"""Render-time cost of retrieval: stored tokens against encoding the reference videos again for each generation.

Full-size models with random weights: VideoMAE-base, DINOv2-large, resamplers and context transformer of the published
sizes. Online, K = 9 references are encoded (their videos already decoded, in favour of that side); with the database
their tokens are read. Both encode the target picture and run the context transformer.

python -m benchmarks.render_cost [--short] [--json FILE]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.measure import Result, publish, side_by_side
from benchmarks.synthetic import FINGERPRINT, clip_rows, template
from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.tokens import StoredTokens
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer, ContextTransformerConfig
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig

K, ROWS, DIM = 9, 512, 64
TOKENS, WIDTH = 25, 1024


class Models:
    """The published sizes (arXiv 2509.26391), random weights, float32 on the CPU; `layers` shortens all for a trial."""

    def __init__(self, *, layers: int | None = None) -> None:
        from transformers import Dinov2Config, Dinov2Model, VideoMAEConfig, VideoMAEModel

        torch.manual_seed(0)
        self.motion = VideoMAEModel(VideoMAEConfig(num_hidden_layers=layers or 12)).eval()
        appearance = Dinov2Config(
            hidden_size=1024, num_hidden_layers=layers or 24, num_attention_heads=16, image_size=518
        )
        self.appearance = Dinov2Model(appearance).eval()
        sizes = {"dim": 1024, "depth": 4, "dim_head": 64, "heads": 12, "num_queries": TOKENS, "output_dim": WIDTH}
        self.motion_resampler = Resampler(ResamplerConfig(embedding_dim=768, **sizes)).eval()
        transformer = ContextTransformerConfig(token_dim=WIDTH, layers=4, heads=16, ff_dim=4096, tokens_per_clip=TOKENS)
        self.context = ContextTransformer(transformer, ResamplerConfig(embedding_dim=1024, **sizes)).eval()

    def adapt(self, motion: torch.Tensor, appearance: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        """The target's motion tokens from the references' tokens [K, L, D] and its picture [1, 3, 224, 224]."""
        target = self.context.appearance_tokens(self.appearance(picture).last_hidden_state)
        return self.context.adapt(motion[None], appearance[None], target)


@torch.inference_mode()
def online(models: Models, clips: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    """clips [K, 16, 3, 224, 224]: one after another, as memory allows everywhere."""
    motion, appearance = [], []
    for clip in clips:
        motion.append(models.motion_resampler(models.motion(clip[None]).last_hidden_state))
        features = models.appearance(clip[:1]).last_hidden_state
        appearance.append(models.context.appearance_tokens(features[None])[0])
    return models.adapt(torch.cat(motion), torch.cat(appearance), picture)


@torch.inference_mode()
def stored(models: Models, database: MotionDatabase, ids: list[str], picture: torch.Tensor) -> torch.Tensor:
    """The references' tokens from the database."""
    tokens = database.tokens(ids, fingerprint=FINGERPRINT)
    motion, appearance = (torch.from_numpy(np.asarray(t)).float() for t in vars(tokens).values())
    return models.adapt(motion, appearance, picture)


def write_tokens(path: Path) -> list[str]:
    """A database of ROWS rows with tokens of the published size; returns ids of K of its rows."""
    drawn = np.random.default_rng(0)
    vectors = drawn.normal(size=(ROWS, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tokens = StoredTokens(*(drawn.random((ROWS, TOKENS, WIDTH), dtype=np.float32).astype(np.float16) for _ in range(2)))
    rows = clip_rows(0, ROWS)
    with DatabaseWriter(path, template=template(DIM, (TOKENS, WIDTH)), sampling={}) as writer:
        writer.commit_rows(RowBatch(rows=rows, text=vectors, frame=vectors, tokens=tokens))
    return [rows[number * ROWS // K].id for number in range(K)]


def measure(*, repeats: int, layers: int | None = None) -> list[dict]:
    """The lines of the table."""
    models = Models(layers=layers)
    drawn = torch.Generator().manual_seed(0)
    clips = torch.randn(K, 16, 3, 224, 224, generator=drawn)
    picture = torch.randn(1, 3, 224, 224, generator=drawn)
    with tempfile.TemporaryDirectory() as temporary:
        ids = write_tokens(Path(temporary) / "db")
        database = MotionDatabase.open(Path(temporary) / "db")
        timings = side_by_side(
            {
                "encode 9 reference videos online": lambda: online(models, clips, picture),
                "read stored tokens": lambda: stored(models, database, ids, picture),
                "... of which reading": lambda: database.tokens(ids, fingerprint=FINGERPRINT),
                "... of which one DINOv2 pass": lambda: _without_gradients(models.appearance, picture),
            },
            repeats=repeats,
        )
    slowest = timings["encode 9 reference videos online"]
    return [
        {
            "way": name,
            "least_sec": timing.least_sec,
            "median_sec": timing.median_sec,
            "times_less_than_online": slowest.median_sec / timing.median_sec,
        }
        for name, timing in timings.items()
    ]


@torch.inference_mode()
def _without_gradients(model: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    return model(pixels).last_hidden_state


def main(
    short: Annotated[bool, typer.Option("--short", help="One repeat.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    lines = measure(repeats=1 if short else 5)
    conditions = {"K": K, "torch threads": torch.get_num_threads(), "goal": "25 times less"}
    publish(Result(title="Cost of retrieval for one generation", conditions=conditions, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)
