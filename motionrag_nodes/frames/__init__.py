"""Stage: attention -> frames. An image-to-video model generates, with the motion injected."""
