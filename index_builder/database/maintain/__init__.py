"""Changing a database as a user asks: adding, removing, merging, compacting, exporting, verifying."""
