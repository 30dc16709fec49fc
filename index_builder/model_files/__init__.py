"""Model folders of others: what may lie in one and what its JSON may say, checked before a library opens it."""
