"""Stage: clips -> motion tokens. A Perceiver resampler turns a clip's features into a few tokens."""
