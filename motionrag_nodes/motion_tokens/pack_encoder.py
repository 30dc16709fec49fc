"""A pack's encoders and resamplers as one: clips in, embeddings and tokens out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch

from index_builder.clips.reading import ClipPixels, Reading, first_frame_of, frames_of
from index_builder.features.clip_encoder import ClipFeatures
from index_builder.features.embedding_space import EmbeddingSpace
from motionrag_nodes.errors import ShapeMismatch

if TYPE_CHECKING:
    from motionrag_nodes.motion_tokens.clip_models import ClipConfig, ClipModels

# References are read at 8 fps over 2 s (arXiv 2509.26391).
CLIP_FRAMES = 16
CLIP_SECONDS = 2.0
CLIP_FPS = 8

_zero_clip_tokens: WeakKeyDictionary[ClipModels, torch.Tensor] = WeakKeyDictionary()


class PackClipEncoder:
    """The ClipEncoder of a loaded pack; its encoders are loaded when first needed."""

    def __init__(self, pack: ClipModels) -> None:
        self.pack = pack
        encoders = pack.config.encoders
        self.name, self.device = pack.name, str(pack.device)
        self.retrieval_fingerprint = encoders["retrieval"].fingerprint
        self.tokens_fingerprint = pack.tokens_fingerprint
        self.tokens_per_clip = pack.config.motion_resampler.num_queries
        self.token_dim = pack.config.motion_resampler.output_dim
        self.reading, self.clip_seconds = reading_of(pack.config)

    @property
    def retrieval_description(self) -> str:
        """Name and width of the encoder of frames, for messages."""
        return self.pack.retrieval_encoder.description

    @property
    def embedding_dim(self) -> int:
        """Width E of frame embeddings, and of text where it has no space of its own."""
        return self.pack.retrieval_encoder.dim

    @property
    def text_space(self) -> EmbeddingSpace | None:
        """The space of captions where the pack has an encoder for them alone."""
        captions = self.pack.captions_encoder
        return None if captions is None else captions.space

    def encode(self, clips: Sequence[np.ndarray | ClipPixels], captions: Sequence[str | None]) -> ClipFeatures:
        """B clips as `reading` gives them, or uint8 RGB [T, H, W, 3] of any sizes, and their captions -> B rows.

        Raises ShapeMismatch: a clip has another shape or type, or the captions have another number.
        """
        check_clips(clips, captions)
        first_frames = [first_frame_of(clip) for clip in clips]
        captioned = [index for index, caption in enumerate(captions) if caption is not None]
        space = self.text_space
        text = np.zeros((len(clips), self.embedding_dim if space is None else space.dim), dtype=np.float32)
        if captioned:
            text[captioned] = self.encode_text([str(captions[index]) for index in captioned])
        return ClipFeatures(
            text=text,
            frame=_by_shape(first_frames, self.encode_frames),
            motion_tokens=self.motion_tokens(clips).cpu().numpy().astype(np.float16),
            appearance_tokens=self.appearance_tokens(first_frames).cpu().numpy().astype(np.float16),
        )

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """B texts -> float32 [B, E of text], L2-normalised."""
        return (self.pack.captions_encoder or self.pack.retrieval_encoder).encode_text(texts)

    def encode_frames(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [B, H, W, 3] -> float32 [B, E], L2-normalised."""
        return self.pack.retrieval_encoder.encode_frames(frames)

    @torch.inference_mode()
    def motion_tokens(self, clips: Sequence[np.ndarray | ClipPixels]) -> torch.Tensor:
        """B clips as in `encode` -> motion tokens float32 [B, L, D] on the pack's device."""
        return self.pack.motion_resampler(self.pack.motion_encoder.encode([frames_of(clip) for clip in clips]))

    @torch.inference_mode()
    def appearance_tokens(self, frames: Sequence[np.ndarray]) -> torch.Tensor:
        """B pictures uint8 RGB [H, W, 3], of any sizes -> appearance tokens float32 [B, L, D]."""
        features = _by_shape(frames, lambda batch: self.pack.appearance_encoder.encode(batch).cpu().numpy())
        return self.pack.context_transformer.appearance_tokens(torch.from_numpy(features).to(self.pack.device))

    @torch.inference_mode()
    def zero_clip_tokens(self) -> torch.Tensor:
        """Motion tokens [1, L, D] of an all-zeros clip (pixels in [-1, 1], so mid-grey), on the CPU: the unconditional
        ones.

        They depend on the pack alone, and are computed once for it.
        """
        if self.pack not in _zero_clip_tokens:
            features = self.pack.motion_encoder.encode_prepared(self._prepared_zero_clip())
            _zero_clip_tokens[self.pack] = self.pack.motion_resampler(features).cpu()
        return _zero_clip_tokens[self.pack]

    def _prepared_zero_clip(self) -> torch.Tensor:
        """[1, frames, C, crop, crop], normalised. From the constant 0.5, since 127.5 of 255 is no byte."""
        wanted = self.pack.config.encoders["motion"].pixels
        colour = (0.5 - torch.tensor(wanted.mean)) / torch.tensor(wanted.std)
        clip = colour.view(1, 1, -1, 1, 1).expand(1, wanted.frames, -1, wanted.crop, wanted.crop)
        if wanted.first_frame_difference:
            clip = torch.cat([clip, torch.zeros_like(clip)], dim=2)
        return clip


def reading_of(config: ClipConfig) -> tuple[Reading, float]:
    """How a pack's clips are read, and how many seconds they are of."""
    pixels = {role: config.encoders[role].pixels for role in ("motion", "appearance")}
    motion = pixels["motion"]
    if motion.version == 1:
        # The retrieval encoder is left out: it looks at content, not at fine motion, and is content with less.
        side = max(wanted.resize_short_side for wanted in pixels.values())
        return Reading(frames=CLIP_FRAMES, short_side=side), CLIP_SECONDS
    # As many frames as the video model makes: 16 in 2 s, CogVideoX 17 in 2.125 s.
    frames = config.generation.frames
    reading = Reading(
        frames=frames,
        short_side=motion.resize_short_side,
        version=2,
        interpolation=motion.interpolation,
        shape=motion.shape,
    )
    return reading, frames / CLIP_FPS


def check_clips(clips: Sequence[np.ndarray | ClipPixels], captions: Sequence[str | None]) -> None:
    """Raises ShapeMismatch unless there are clips uint8 RGB [T, H, W, 3], each with a caption or None."""
    if len(clips) != len(captions):
        raise ShapeMismatch(
            f"Expected one caption (or None) for each of {len(clips)} clips, received {len(captions)}: give as many."
        )
    for clip in (clip for clip in clips if not isinstance(clip, ClipPixels)):
        if clip.dtype != np.uint8 or clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
            raise ShapeMismatch(
                f"Expected a clip as uint8 RGB [T, H, W, 3], received {clip.dtype} {list(clip.shape)}: "
                "decode it with decode_clip, or convert it to 8-bit RGB."
            )


def _by_shape(frames: Sequence[np.ndarray], encode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Encode pictures of any sizes: one batch for each size, results in the order given."""
    places: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, frame in enumerate(frames):
        places[frame.shape].append(index)
    encoded: dict[int, np.ndarray] = {}
    for indices in places.values():
        encoded.update(zip(indices, encode(np.stack([frames[index] for index in indices])), strict=True))
    return np.stack([encoded[index] for index in range(len(frames))])
