"""Neighbours: the clips of a motion database whose motion fits a prompt or an image, with their motion tokens."""
