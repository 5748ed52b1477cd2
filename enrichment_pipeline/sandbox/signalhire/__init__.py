"""SignalHire's stand-in: its look-ups in both modes, its Search API, its credits and its limits."""
