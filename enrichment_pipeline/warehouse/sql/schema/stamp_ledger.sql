-- The look-ups here are this ledger's from now on.
--
-- makes: staging.stamp

update staging.stamp set value = $ledger where key = 'ledger';
