"""So that `python -m enrichment_pipeline.cli` is the `enrichment` command.

Here: nothing else.
"""

from enrichment_pipeline.cli.main import main

main()
