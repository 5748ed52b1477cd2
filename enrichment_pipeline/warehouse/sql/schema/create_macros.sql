-- Normalising text: the same rules wherever two values are compared.
-- Temporary macros, made anew on each connection, so that the file holds no logic.

-- DuckDB's own nullif and array_to_string are macros in which the value stands twice: nested a few
-- times, that is an expression of a hundred times the size, which takes longer to plan than to
-- run. In a lambda it stands once.
create or replace temp macro filled(value) as list_filter([value], lambda text: text <> '')[1];

create or replace temp macro joined(words, separator := ' ') as list_transform(
    [words],
    lambda each: case
        when each is not null then coalesce(list_aggregate(each, 'string_agg', separator), '')
    end
)[1];

-- Blanks of every kind and invisible characters are not content. Most text is plain ASCII
-- without any at its ends, which is seen faster than two expressions are matched. (The lambda
-- is there for the value to stand in the macro once: macros in macros multiply what they hold.)
create or replace temp macro clean_text(value) as list_transform(
    [value],
    lambda text: case
        when
            strlen(text) = length(text)
            and text[1] between '!' and '~'
            and text[-1] between '!' and '~'
            then text
        else
            filled(
                regexp_replace(
                    regexp_replace(text, '\p{Cf}', '', 'g'),
                    '^[\s\p{Z}\p{Cc}]+|[\s\p{Z}\p{Cc}]+$', '', 'g'
                )
            )
    end
)[1];

-- What tools and people write for nothing is nothing.
create or replace temp macro real_text(value) as list_transform(
    [clean_text(value)],
    lambda text: case
        when length(text) > 13 or text[1] not in ('n', 'N', 'u', 'U', '-', '.', '?') then text
        else
            filled(
                regexp_replace(
                    text,
                    '(?i)^(n/?a|n\.a\.|none|null|nil|nan|undefined|unknown|not available|[-.?]+)$',
                    ''
                )
            )
    end
)[1];

-- For the readings of providers: whether a text may be a JSON object or list that was read as
-- text.
create or replace temp macro looks_like_json(value) as
    coalesce(value[1] in ('{', '['), false);

-- The part of a personal profile URL that names the person; null for company pages, the old
-- /pub/ form and anything else. What is not UTF-8 once decoded stays as it is written. What
-- holds a blank, a control character (%00) or more than 200 characters names no person: its
-- beginning might name another.
create or replace temp macro linkedin_slug(value) as list_transform(
    list_transform(
        list_transform(
            [clean_text(value)],
            lambda url: regexp_extract(
                case
                    when contains(url, '%') and not regexp_matches(url, '(?i)linkedin\.com/')
                        then coalesce(try(url_decode(url)), url)
                    else url
                end,
                '(?i)^(?:https?://)?(?:[a-z0-9-]+\.)*linkedin\.com/(?:mwlite/)?in/([^/?#\s]+)', 1
            )
        ),
        lambda written: case
            when contains(written, '%') then regexp_replace(
                regexp_extract(coalesce(try(url_decode(written)), written), '^[^/?#]*'),
                '^[\s\p{Z}]+|[\s\p{Z}]+$', '', 'g'
            )
            else written
        end
    ),
    lambda slug: case
        when length(slug) between 1 and 200
            and not regexp_matches(slug, '(?i)[\s\p{Z}\p{Cc}]|%[01][0-9a-f]|%7f')
            then lower(nfc_normalize(slug))
    end
)[1];

-- A number that can be reckoned with: text such as `nan`, which tools write for nothing, is null.
create or replace temp macro finite_number(value) as
    case when isfinite(try_cast(value as double)) then try_cast(value as double) end;

-- By what the ledger knows a verification of an address.
create or replace temp macro address_key(email) as sha256('address:' || email);

-- A bare, lower-case address out of `mailto:a@b.c`, `Name <a@b.c>` and padded forms. None has
-- more than 254 characters (RFC 5321).
create or replace temp macro email_address(value) as list_filter(
    [regexp_extract(
        lower(clean_text(value)),
        concat(
            '^(?:mailto:)?(?:[^<>]*<)?',
            '([a-z0-9.!#$%&''*+/=?^_`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24})',
            '>?(?:\?.*)?$'
        ),
        1
    )],
    lambda address: length(address) between 1 and 254
)[1];

-- What is wrong with a profile URL, an e-mail or a phone number by which no person can be looked
-- up, and what to do; null for one that will do, and for none.
create or replace temp macro profile_url_problem(url) as case
    when url is null or linkedin_slug(url) is not null then null
    when length(url) > 500
        then concat('linkedin_url has ', length(url), ' characters, as no profile URL has')
    when regexp_matches(url, '(?i)linkedin\.com/(sales|recruiter|talent)/')
        then concat(
            'linkedin_url is a Sales Navigator or Recruiter link, which opens for its owner only: ',
            'open it there and copy the public profile URL'
        )
    when regexp_matches(url, '(?i)linkedin\.com/(company|school|showcase)/')
        then 'linkedin_url is a company''s page: give the person''s own profile URL'
    when regexp_matches(url, '(?i)linkedin\.com/pub/')
        then 'linkedin_url has the old form /pub/: open it and copy the address it leads to'
    when regexp_matches(url, '(?i)linkedin\.com/(mwlite/)?in/')
        then 'linkedin_url names no profile, or holds characters that no profile URL has'
    when regexp_matches(url, '(?i)linkedin\.com')
        then 'linkedin_url is a page of LinkedIn''s, but no profile'
    else 'linkedin_url is no LinkedIn profile, such as https://www.linkedin.com/in/name'
end;

create or replace temp macro email_problem(email) as case
    when email is null or email_address(email) is not null then null
    when length(email) > 500
        then concat('email has ', length(email), ' characters, as no address has')
    when regexp_matches(email, '(?i)^\s*([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})\s*$')
        then 'email is the hash of an address, which finds no person: give the address itself'
    when not contains(email, '@') then 'email has no @'
    else 'email is no address, such as name@example.com'
end;

create or replace temp macro phone_problem(phone, e164) as case
    when phone is not null and e164 is null
        then 'phone is no valid number, or lacks its country code: write it as +49…'
end;

-- A mailbox that a function reads, not a person.
create or replace temp macro is_role_address(email) as
    list_contains(getvariable('role_addresses'), split_part(email, '@', 1));

-- An identifier as the ledger keeps it.
create or replace temp macro hashed_identifier(kind, value) as concat(kind, ':', sha256(value));

-- A profile's id at a provider as an identifier of its person: to another provider the same id may
-- be another person's. Its parts can be had back.
create or replace temp macro uid_alias(provider, uid) as 'uid:' || provider || ':' || uid;

create or replace temp macro is_uid_alias(alias) as starts_with(alias, 'uid:');

create or replace temp macro provider_in_alias(alias) as split_part(alias, ':', 2);

create or replace temp macro uid_in_alias(alias) as
    substr(alias, length(uid_alias(provider_in_alias(alias), '')) + 1);

-- An identifier of a person as the ledger keeps it, which compares ids of profiles among the calls
-- to one provider only.
create or replace temp macro hashed_alias(alias) as case
    when is_uid_alias(alias) then hashed_identifier('uid', uid_in_alias(alias))
    else hashed_identifier(split_part(alias, ':', 1), substr(alias, strpos(alias, ':') + 1))
end;

-- A profile that a provider has, by its id there.
create or replace temp macro profile_at(provider, uid) as
    struct_pack(provider := provider, uid := uid);

-- The identifier of a person that a provider's fact gives; null for one that gives none. A role
-- address is no person's, and a phone at work may be a switchboard.
create or replace temp macro fact_alias(provider, field, value) as case
    when field = 'linkedin_url' then 'linkedin:' || linkedin_slug(value)
    when field = 'mobile_phone' then 'phone:' || value
    when field = 'provider_uid' then uid_alias(provider, value)
    when field in ('work_email', 'personal_email') and not is_role_address(value)
        then 'email:' || value
end;

-- In a name only what cannot be one is nothing: Nan, Na, Nil and Null are names of people;
-- nan, NaN, null and None are what tools write.
create or replace temp macro real_name(value) as list_transform(
    [clean_text(value)],
    lambda text: case
        when text[1] not in ('n', 'N', 'u', 'U', '-', '.', '?') then text
        else
            filled(
                regexp_replace(
                    text,
                    concat(
                        '^((?i:n/a|n\.a\.|undefined|unknown|not available|[-.?]+)',
                        '|nan|NaN|NAN|null|NULL|nil|NIL|none|None|NONE|NA)$'
                    ),
                    ''
                )
            )
    end
)[1];

-- A contact's name: as a whole where the source has it, else of its parts. The same word for
-- nothing all over is no name, as in `null` or `nan nan`.
create or replace temp macro written_name(full_name, first_name, last_name) as list_filter(
    [
        coalesce(
            real_name(full_name),
            clean_text(concat_ws(' ', real_name(first_name), real_name(last_name)))
        )
    ],
    lambda name: real_text(split_part(name, ' ', 1)) is not null
    or len(list_distinct(string_split(lower(name), ' '))) > 1
)[1];

-- Letters as they are compared: lower case, without accents or apostrophes.
create or replace temp macro plain_letters(value) as regexp_replace(
    replace(replace(replace(replace(replace(
        lower(strip_accents(clean_text(value))), 'ß', 'ss'
    ), 'ø', 'o'), 'ł', 'l'), 'æ', 'ae'), 'đ', 'd'),
    '[''’`´.]', '', 'g'
);

-- The words of a name in the order in which they are written, without titles.
create or replace temp macro name_words(value) as list_filter(
    string_split_regex(plain_letters(value), '[^\p{L}\p{N}]+'),
    lambda word: word <> '' and not list_contains(getvariable('titles_of_persons'), word)
);

-- The words of a name, sorted: accents, case, order, titles and punctuation do not count.
create or replace temp macro name_key(value) as joined(list_sort(name_words(value)));

-- The given name in `Ada Example`, `Example, Ada` and `Ada Example, Jr.`; null for an initial.
create or replace temp macro given_name(value) as list_filter(
    [
        coalesce(
            name_words(regexp_replace(clean_text(value), '^[^,]*,', ''))[1], name_words(value)[1]
        )
    ],
    lambda word: length(word) > 1
)[1];

-- What is known to be the family name: the source's column, else what stands before the comma
-- in `Example, Ada`.
create or replace temp macro family_name(full_name, last_name) as coalesce(
    real_name(last_name), filled(regexp_extract(full_name, '^([^,]+),[^,]*\p{L}', 1))
);

-- Whether a name is written in another script than Latin.
create or replace temp macro is_in_other_script(value) as
    coalesce(strlen(value) <> length(value) and regexp_matches(value, '[^\p{Latin}\P{L}]'), false);

-- The letters of an identifier (a profile's slug, an e-mail before its @), in which a name
-- may be spelled.
create or replace temp macro identifier_letters(value) as
    regexp_replace(plain_letters(split_part(value, '@', 1)), '[^a-z]', '', 'g');

-- Whether such letters spell each word of a Latin name.
create or replace temp macro spell_name(letters, key) as
    contains(key, ' ')
    and len(list_filter(
        string_split(key, ' '), lambda word: not contains(coalesce(letters, ''), word)
    )) = 0;

-- The distinct words of a name that stand in it and not in another.
create or replace temp macro words_besides(one, other) as list_filter(
    list_distinct(string_split(one, ' ')),
    lambda word: not list_contains(string_split(other, ' '), word)
);

-- Whether two words may be the same given name, and whether two name keys may belong to one
-- person: the rules are in `names.py`. Most names are equal, which is seen without Python.
-- (What stands after `or` is worked out for all of them, but not so what stands after `when`.)
create or replace temp macro words_alike(one, other, least_similarity := 0.9) as
    case when one = other then true else compare_words(one, other, least_similarity) end;

create or replace temp macro names_alike(
    one, other, least_similarity := 0.9, family_name := ''
) as case
    when coalesce(one, '') = '' or coalesce(other, '') = '' or one = other then true
    else compare_names(one, other, least_similarity, coalesce(family_name, ''))
end;

-- A name as one would ask for it: in the order of speech, without titles, initials, suffixes
-- and signs.
create or replace temp macro spoken_name(value) as joined(
    list_filter(
        string_split_regex(
            regexp_replace(clean_text(value), '^([^,]+),\s*([^,]+)$', '\2 \1'),
            '[^\p{L}\p{M}\p{N}''’-]+'
        ),
        lambda word: length(word) > 1
        and not list_contains(getvariable('titles_of_persons'), lower(word))
    )
);

-- Whether a write rule (overwrite, fill or never) lets what a provider gives for a field be
-- written where the source has this. A human's word is written whatever the rule.
create or replace temp macro is_written(field, rule, human_fields, sourced) as
    rule = 'overwrite' or (rule = 'fill' and sourced is null) or list_contains(human_fields, field);

-- What such a rule makes of the value that is given and the source's: an empty value
-- never overwrites a known one.
create or replace temp macro ruled(field, rule, value, human_fields, sourced) as case
    when is_written(field, rule, human_fields, sourced) then coalesce(value, sourced)
    else sourced
end;

-- The same for e-mails and phones: the source's own is of no known kind, and never shown as one.
create or replace temp macro allowed(field, rule, human_fields, sourced, value) as
    case when is_written(field, rule, human_fields, sourced) then value end;

-- The place of a word in its list (`set_vocabulary.sql`), from 0 for the first; what is not in it
-- counts as the last.
create or replace temp macro rank_in(words, word) as
    coalesce(list_position(words, word), len(words)) - 1;

create or replace temp macro priority_rank(priority) as
    rank_in(getvariable('priorities'), priority);

create or replace temp macro status_rank(status) as
    rank_in(getvariable('value_statuses'), status);

-- Whether the reason of a released look-up is about the item itself, as its provider says.
create or replace temp macro failed_by_item(provider, reason) as coalesce(
    list_contains(getvariable('item_failures')[provider], reason), false
);

-- After so many failed runs in a row, how long nothing is tried: the first distance is doubled with
-- each further failure, up to the longest, which stays.
create or replace temp macro seconds_to_retry(failed_runs, aging) as case
    when failed_runs >= aging.retry_max_attempts then aging.retry_longest_days * 86400
    else least(
        aging.retry_first_hours * 3600
        * pow(2, least(failed_runs, aging.retry_max_attempts) - 1),
        aging.retry_longest_days * 86400
    )
end;

-- When an answer is too old: its age counts from when the provider last said that it still holds,
-- and ends when that says that it does not.
create or replace temp macro expiry(answered_at, told, days) as least(
    greatest(answered_at, told.renewed_at) + to_days(days), told.changed_at
);

-- The first of a field's e-mails or phones in an answer; null for none.
create or replace temp macro best_point(points, wanted_field) as list_filter(
    points, lambda point: point.field = wanted_field and point.position = 1
)[1];

-- The field, or the kind of field, that a requirement such as `verified_email` is about.
create or replace temp macro required_field(requirement) as
    regexp_replace(requirement, '^(verified|agreed|likely|any)_', '');

-- Of the e-mails and phones that are known those of a kind that requirements such as
-- `verified_email` name, for people to read; null for none.
create or replace temp macro points_that_count(known_points, requirements) as filled(
    joined(
        list_transform(
            list_filter(
                known_points,
                lambda point: point.value is not null and len(list_filter(
                    requirements, lambda each: required_field(each) in (point.field, point.kind)
                )) > 0
            ),
            lambda point: concat(point.field, ' ', point.value, ' is ', point.status)
        ),
        separator := ', '
    )
);

-- The e-mails and phones of an answer, each with the kind by which a requirement may name it, and
-- whether it is one of those on which several providers agree.
create or replace temp macro points_by_kind(points, agreed) as list_transform(
    points,
    lambda point: struct_pack(
        field := point.field,
        kind := case when ends_with(point.field, 'email') then 'email' else 'phone' end,
        status := point.status,
        is_agreed := list_contains(agreed, point.value)
    )
);

-- Whether the e-mails and phones that are known have what a requirement such as
-- `verified_email` or `likely_mobile_phone` names, in its class or a better one. Between verified
-- and likely is agreed: several providers give the address.
create or replace temp macro has_required(known_points, requirement) as len(list_filter(
    known_points,
    lambda point: point.status is not null
    and required_field(requirement) in (point.field, point.kind)
    and case
        when starts_with(requirement, 'agreed_')
            then point.status = 'verified' or coalesce(point.is_agreed, false)
        else status_rank(point.status) <= status_rank(split_part(requirement, '_', 1))
    end
)) > 0;

-- The values that people read of a contact, of `enriched_contacts`, each with its status: no
-- bookkeeping, and none of the source's own values beside them.
create or replace temp macro shown_value(field, value, status := cast(null as varchar)) as
    struct_pack(field := field, value := value, status := status);

create or replace temp macro shown_values(contact) as list_filter(
    [
        shown_value('full_name', contact.full_name),
        shown_value('job_title', contact.job_title),
        shown_value('seniority', contact.seniority),
        shown_value('company_name', contact.company_name),
        shown_value('company_domain', contact.company_domain),
        shown_value('company_website', contact.company_website),
        shown_value('company_industry', contact.company_industry),
        shown_value('company_employee_count', contact.company_employee_count),
        shown_value('work_email', contact.work_email, contact.work_email_status),
        shown_value('personal_email', contact.personal_email, contact.personal_email_status),
        shown_value('direct_phone', contact.direct_phone, contact.direct_phone_status),
        shown_value('mobile_phone', contact.mobile_phone, contact.mobile_phone_status),
        shown_value('linkedin_url', contact.linkedin_url),
        shown_value('location', contact.location),
        shown_value('job_changed', cast(contact.job_changed as varchar)),
        shown_value('previous_company_name', contact.previous_company_name),
        shown_value('previous_company_domain', contact.previous_company_domain),
        shown_value('previous_job_title', contact.previous_job_title)
    ],
    lambda shown: shown.value is not null
);
