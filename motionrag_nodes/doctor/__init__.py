"""Doctor: looks at an installation with its own eyes and says what is wrong and what to do."""
