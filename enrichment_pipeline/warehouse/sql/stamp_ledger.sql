-- The look-ups here are this ledger's from now on.

update staging.stamp set value = $ledger where key = 'ledger';
