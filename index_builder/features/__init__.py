"""Frozen encoders: retrieval (open_clip), captions (sentence-transformers), motion (VideoMAE), appearance (DINOv2)."""
