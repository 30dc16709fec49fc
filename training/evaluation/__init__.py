"""Measuring a pack: what it generates against clips it was never trained on, and how sure the figures are."""
