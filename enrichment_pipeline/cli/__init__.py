"""The `enrichment` command.

Here: everything that only the command line needs. Not here: what the pipeline
does. Besides `settings`, only this package touches the environment.
"""
