"""The report's pictures and its page."""
