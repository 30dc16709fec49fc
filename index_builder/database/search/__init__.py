"""Reading a database: rows, filters, similarity search, and the indexes whose recall is measured."""
