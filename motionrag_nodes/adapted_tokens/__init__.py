"""Stage: motion tokens -> adapted tokens. The neighbours' motion is adapted in context to the given image."""
