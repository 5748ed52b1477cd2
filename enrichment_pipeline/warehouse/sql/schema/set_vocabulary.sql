-- The words of `vocabulary.py` for this connection, in their order of rank, what follows from
-- each, the lists of `word_lists.toml`, and by provider the reasons that are about an item itself.
-- A variable is a constant to the statements that read it.

set variable priorities = $priorities;

set variable value_statuses = $value_statuses;

-- Looked up, so that a reason is reckoned once and not for each of the words.
set variable freshness_of = map($freshness_reasons, $freshness);

set variable reason_meanings = map($reasons, $reason_meanings);

set variable reason_advice = map($reasons, $reason_advice);

set variable mismatch_meanings = map($mismatches, $mismatch_meanings);

set variable role_addresses = $role_addresses;

set variable titles_of_persons = $titles_of_persons;

set variable item_failures = cast(map($providers, $item_failures) as map (varchar, varchar[]));
