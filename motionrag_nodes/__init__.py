"""MotionRAG's neural parts and nodes: motion_tokens -> neighbours -> adapted_tokens -> attention -> frames.

Each stage is a folder named after what it produces and may import those before it; `backbones` holds what is peculiar
to each base video model, `checkpoints` loads what the stages need, `nodes` puts them into ComfyUI, `batch_render` runs
saved workflows and `cli` is the `motionrag` command.

Dimensions in every docstring: B batch, K neighbours, T frames, N patch tokens, L motion tokens, D token width,
H W pixels, E embedding width.
"""

STAGES = ("motion_tokens", "neighbours", "adapted_tokens", "attention", "frames")
