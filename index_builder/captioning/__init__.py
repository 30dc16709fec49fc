"""Captions made here: frames of a clip go to a vision-language model, its words into a table or beside the video."""
