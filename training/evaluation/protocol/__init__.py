"""What is evaluated: rows, cases, their databases and their references."""
