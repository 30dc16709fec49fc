"""Making the videos of an evaluation, kept on disk as soon as they are made, and what they cost."""
