"""Frozen encoders of clips and captions: retrieval (open_clip), motion (VideoMAE), appearance (DINOv2)."""
