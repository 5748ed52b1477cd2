"""The `enrichment` command: what it shows, and how it refuses."""
