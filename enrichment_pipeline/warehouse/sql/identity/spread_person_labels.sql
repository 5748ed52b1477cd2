-- One step: each contact takes the least label among those that share an identifier
-- with it, unless one of its own identifiers belongs to a person already. Gives the number of
-- contacts that changed; done when that is none.
--
-- reads: person_labels, shared_links
-- makes: person_labels

update person_labels as mine
set label = best.label
from (
    select link.contact_id, min(shared.label) as label
    from shared_links as link
    join (
        select their_link.alias, min(theirs.label) as label
        from shared_links as their_link
        join person_labels as theirs on theirs.contact_id = their_link.contact_id
        group by their_link.alias
        having count(distinct theirs.label) > 1
    ) as shared on shared.alias = link.alias
    group by link.contact_id
) as best
where best.contact_id = mine.contact_id
    and best.label < mine.label
    and not starts_with(mine.label, '0|');
