"""Base video models, a folder each: what the stages must know of one, and nowhere else is any of them named."""
