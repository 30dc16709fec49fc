"""The `motionrag` command line: one module a command, joined in main.py."""
