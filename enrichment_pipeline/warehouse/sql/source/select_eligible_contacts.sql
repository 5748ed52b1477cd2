-- The ids of the contacts that pass `[eligibility] where`. Not run as it is: the policy's
-- condition is put in its place at the end. `given_contacts` and `given_accounts` are the
-- policy's own queries. Contacts may lack the column `account_id`; where an id repeats, each of
-- its rows has to pass.
--
-- reads: given_accounts, given_contacts

select contact.contact_id
from (
    select null::varchar as account_id where false
    union all by name
    select * from given_contacts
) as contact
-- the condition may name it
left join given_accounts as account -- noqa: structure.unused_join
    on trim(account.account_id::varchar) = trim(contact.account_id::varchar)
group by contact.contact_id
having bool_and(coalesce($condition, false))
