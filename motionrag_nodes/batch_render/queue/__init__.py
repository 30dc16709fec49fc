"""Jobs that survive a kill at any moment: durable workflows on DBOS, the servers that run them, and who gets which."""
