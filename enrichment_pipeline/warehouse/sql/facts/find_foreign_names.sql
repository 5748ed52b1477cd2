-- The names in other scripts than Latin, ours and theirs.
--
-- reads: new_answers

select written_name(our_full_name, our_first_name, our_last_name) as name
from new_answers
where outcome = 'matched' and is_in_other_script(our_name_key)
union
select their_name as name
from new_answers
where outcome = 'matched' and is_in_other_script(their_name);
