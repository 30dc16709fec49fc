"""Captions of clips: read from tables of many dialects, from files beside the videos, matched by path, and counted."""
