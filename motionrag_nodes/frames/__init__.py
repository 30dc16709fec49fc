"""Stage: attention -> frames. A diffusers image-to-video model generates, with the motion injected."""
