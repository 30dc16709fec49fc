"""Changing a database as a user asks: removing, pruning, merging, relocating, captioning, sharing, verifying."""
