"""A local Hunter: its finder and its verifier over the sample's people, its limits and charges."""
