"""Measurements, each side by side in one run: a script each, a table and JSON as results."""
