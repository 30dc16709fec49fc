"""Stage: adapted tokens -> attention. Decoupled cross-attention carries motion tokens into a frozen video model."""
