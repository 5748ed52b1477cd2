-- For the snapshot of the point of entry (attached as `known_draft`): which contacts a verifier may
-- say nothing about, for legal reasons.
--
-- reads: raw.verifications
-- makes: known_draft.raw.verifications

create table known_draft.raw.verifications as
select * from raw.verifications where outcome = 'legal_stop' order by contact_id;
