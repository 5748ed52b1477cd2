-- Where no provider verifies addresses none is due.
--
-- makes: staging.due_verifications

delete from staging.due_verifications;
