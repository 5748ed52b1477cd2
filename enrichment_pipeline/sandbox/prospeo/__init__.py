"""A local Prospeo: its API over the sample's people, its limits, its charges and its oddities."""
