"""Which providers there are: one line each.

Here: their names, in the order in which they are asked where a policy names none. Not here:
anything of theirs; each has a folder of its own.
"""

from enrichment_pipeline.providers.base import ProviderFacts
from enrichment_pipeline.providers.hunter.facts import HUNTER
from enrichment_pipeline.providers.peopledatalabs.facts import PEOPLE_DATA_LABS
from enrichment_pipeline.providers.prospeo.facts import PROSPEO
from enrichment_pipeline.providers.signalhire.facts import SIGNALHIRE

PROVIDERS: dict[str, ProviderFacts] = {
    facts.name: facts for facts in (SIGNALHIRE, PROSPEO, PEOPLE_DATA_LABS, HUNTER)
}
FIRST = next(iter(PROVIDERS))
