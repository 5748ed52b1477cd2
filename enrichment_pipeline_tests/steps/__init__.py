"""The steps of a run, each by itself."""
