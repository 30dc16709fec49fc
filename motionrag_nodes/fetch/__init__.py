"""Getting published weights: what is needed and what it costs, the download, and the pack that is made of it."""
