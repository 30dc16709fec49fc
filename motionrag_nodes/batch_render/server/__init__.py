"""A ComfyUI server: speaking with one, and starting one of our own."""
