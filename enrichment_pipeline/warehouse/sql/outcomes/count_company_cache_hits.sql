-- Contacts whose company fields are filled from an answer on a colleague.
--
-- reads: chosen_values

select count(*) filter (has_colleagues_values) from chosen_values;
