"""Finding videos, choosing clip windows, and decoding them in worker processes that can be killed."""
