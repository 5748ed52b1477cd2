-- Take over the suppressed identifiers (registered as `suppressed_identifiers`).
--
-- reads: suppressed_identifiers
-- makes: staging.suppressions

delete from staging.suppressions;

insert into staging.suppressions (identifier)
select identifier from suppressed_identifiers;
