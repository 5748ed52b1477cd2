-- Contacts whose company fields are filled from an answer on a colleague.

select count(*) filter (has_colleagues_values) from chosen_values;
