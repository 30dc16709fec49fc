"""How a change becomes durable: files synced and renamed into place, builders that announce themselves."""
