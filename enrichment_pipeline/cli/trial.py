"""A trial: the sample, over every provider for which there is a stand-in.

Here: what is a trial, and the policy file that its state folder gets. Not here: starting stand-ins
(`own_servers.py`), and the sample (`sandbox/sample_warehouse.py`).
"""

import json

from enrichment_pipeline.policy import VERIFIES_NOTHING
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.settings import POLICY_FILE, Settings
from enrichment_pipeline.state import is_used, write_new
from enrichment_pipeline.vocabulary import VERIFICATION

TRIAL_BUDGET = 10_000


def begin_trial(settings: Settings) -> bool:
    """Give the state folder of a trial that begins a policy file; whether it has been given one.

    A trial is a new state folder without a policy, where no provider is named by a URL. The file
    lasts, so that a trial goes over the same providers whatever a later version has. The state
    folder must be there.
    """
    is_trial = (
        settings.provider == "sandbox"
        and settings.policy_path is None
        and settings.reads_sample
        and not any(account.base_url for account in settings.accounts.values())
    )
    if not is_trial or is_used(settings):
        return False
    write_new(settings.home / POLICY_FILE, trial_policy())
    return True


def trial_policy() -> str:
    """The policy file of a trial."""
    from enrichment_pipeline.sandbox.stand_ins import STAND_INS

    names = [name for name in PROVIDERS if name in STAND_INS]
    able = (name for name in names if VERIFICATION in PROVIDERS[name].calls)
    return (
        "# Made since there was no policy file, and no source was named: a trial of the sample,\n"
        "# with a local stand-in for each provider. It is yours to change; docs/policy.md "
        "lists every key.\n\n"
        "[waterfall]\n"
        f"order = {json.dumps(names)}\n"
        f"verify = {json.dumps(next(able, VERIFIES_NOTHING))}\n\n"
        "[budget]\n"
        f"per_run = {TRIAL_BUDGET}   # enough for all of them\n"
    )
