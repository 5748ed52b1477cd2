-- Keep the answer of each look-up whose reply is on a page of one provider's raw replies
-- (registered as `uncut_replies`), as its own `cut_answers.sql` has cut them. A look-up whose
-- answer it did not find has a row without one: its reply stays in the ledger.
--
-- reads: cut_answers, raw.lookups, raw.provider_responses, uncut_replies
-- makes: raw.provider_responses

insert into raw.provider_responses by name
select
    lookup.lookup_id, lookup.provider, lookup.person_key, lookup.item, lookup.outcome,
    cut.answer, lookup.answered_at, lookup.run_id,
    -- nothing was found in a body without content: it has been erased in the ledger
    case when uncut.body = '' and lookup.outcome = 'matched' then true end as is_erased
from raw.lookups as lookup
join uncut_replies as uncut on uncut.reply_id = lookup.reply_id
left join cut_answers as cut
    on cut.reply_id = lookup.reply_id and cut.answer_index = lookup.answer_index
where lookup.state = 'answered'
    and lookup.lookup_id not in (select lookup_id from raw.provider_responses);
