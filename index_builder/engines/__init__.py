"""Where clips are decoded: the local engine runs worker processes on this machine."""
