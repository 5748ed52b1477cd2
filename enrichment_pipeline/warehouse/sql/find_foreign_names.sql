-- The names in other scripts than Latin, ours and theirs.

select our_name as name
from new_answers
where outcome = 'matched' and is_in_other_script(our_name)
union
select their_name as name
from new_answers
where outcome = 'matched' and is_in_other_script(their_name);
