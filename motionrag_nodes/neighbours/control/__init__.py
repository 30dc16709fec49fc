"""Control clips: the motion of a clip without its looks, for control inputs of other models."""
