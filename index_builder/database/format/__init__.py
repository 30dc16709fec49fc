"""What a database consists of on disk: manifests, rows, tokens, and the checks before any of it is trusted."""
