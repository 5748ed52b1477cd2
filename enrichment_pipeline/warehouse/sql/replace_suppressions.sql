-- Take over the suppressed identifiers (registered as `suppressed_identifiers`).

delete from staging.suppressions;

insert into staging.suppressions (identifier)
select identifier from suppressed_identifiers;
