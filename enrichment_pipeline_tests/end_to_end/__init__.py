"""The whole pipeline, over real files, real HTTP and real processes."""
