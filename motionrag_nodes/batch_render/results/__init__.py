"""What came of the jobs: files, their names, and the manifest that says what made each."""
