"""A local People Data Labs: its API over the sample's people, its window and its charges."""
