"""Stored frames and small figures that hold the packaged pack to what it does."""
