"""Where clips are decoded and encoded: by worker processes of this machine, or by actors on a Ray cluster."""
