"""Sinks: published tables merged into other databases, or written as Parquet elsewhere."""
