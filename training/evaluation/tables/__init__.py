"""Showing the figures: for people, for programs and as a plot."""
