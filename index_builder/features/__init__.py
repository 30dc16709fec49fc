"""Frozen encoders that turn clips and captions into features: retrieval (open_clip), motion (VideoMAE), appearance (DINOv2)."""
