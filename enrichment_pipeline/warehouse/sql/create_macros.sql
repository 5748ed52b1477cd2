-- Normalising text: the same rules wherever two values are compared.
-- Temporary macros, made anew on each connection, so that the file holds no logic.

-- Blanks of every kind and invisible characters are not content.
create or replace temp macro clean_text(value) as nullif(
    regexp_replace(
        regexp_replace(value, '\p{Cf}', '', 'g'),
        '^[\s\p{Z}\p{Cc}]+|[\s\p{Z}\p{Cc}]+$', '', 'g'
    ),
    ''
);

-- The part of a personal profile URL that names the person; null for company pages,
-- the old /pub/ form and anything else. What is not UTF-8 once decoded stays as it is written.
create or replace temp macro linkedin_slug(value) as nullif(
    lower(nfc_normalize(regexp_extract(
        coalesce(try(url_decode(clean_text(value))), clean_text(value)),
        '(?i)^(?:https?://)?(?:[a-z0-9-]+\.)*linkedin\.com/(?:mwlite/)?in/([^/?#\s]+)', 1
    ))),
    ''
);

-- A number that can be reckoned with: text such as `nan`, which tools write for nothing, is null.
create or replace temp macro finite_number(value) as
    case when isfinite(try_cast(value as double)) then try_cast(value as double) end;

-- A bare, lower-case address out of `mailto:a@b.c`, `Name <a@b.c>` and padded forms.
create or replace temp macro email_address(value) as nullif(
    regexp_extract(
        lower(clean_text(value)),
        concat(
            '^(?:mailto:)?(?:[^<>]*<)?',
            '([a-z0-9.!#$%&''*+/=?^_`{|}~-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24})',
            '>?(?:\?.*)?$'
        ),
        1
    ),
    ''
);

-- A mailbox that a function reads, not a person.
create or replace temp macro is_role_address(email) as list_contains(
    [
        'abuse', 'accounting', 'accounts', 'admin', 'administrator', 'billing', 'bookings',
        'buchhaltung', 'career', 'careers', 'compras', 'contact', 'contacto', 'customerservice',
        'empfang', 'enquiries', 'enquiry', 'facturation', 'feedback', 'finance', 'hello', 'help',
        'hi', 'hr', 'info', 'information', 'inquiries', 'inquiry', 'invoice', 'invoices', 'jobs',
        'kontakt', 'legal', 'mail', 'mailbox', 'marketing', 'media', 'news', 'newsletter',
        'no-reply', 'noreply', 'office', 'oficina', 'orders', 'postmaster', 'presse', 'press',
        'privacy', 'purchasing', 'reception', 'recruiting', 'sales', 'sekretariat', 'service',
        'support', 'team', 'vendas', 'ventas', 'vertrieb', 'webmaster', 'welcome'
    ],
    split_part(email, '@', 1)
);

-- The provider's scale, from its documentation: 100 high confidence, 70 likely.
create or replace temp macro rating_status(rating) as
    case try_cast(rating as double) when 100 then 'verified' when 70 then 'likely' else 'unverified'
    end;

-- An e-mail or phone with its status, for people to read; null for none.
create or replace temp macro rated_text(value, rating) as
    clean_text(value) || ' (' || rating_status(rating) || ')';

-- The identifier of a person that a fact gives; null for one that gives none.
create or replace temp macro fact_alias(field, value) as case
    when field = 'linkedin_url' then 'linkedin:' || linkedin_slug(value)
    when field = 'mobile_phone' then 'phone:' || value
    when field = 'provider_uid' then 'uid:' || value
    when field in ('work_email', 'personal_email') and not is_role_address(value)
        then 'email:' || value
end;

-- The words of a name, sorted: accents, case, order, titles and punctuation do not count.
create or replace temp macro name_key(value) as array_to_string(
    list_sort(list_filter(
        string_split_regex(
            regexp_replace(
                replace(replace(replace(replace(replace(
                    lower(strip_accents(clean_text(value))), 'ß', 'ss'
                ), 'ø', 'o'), 'ł', 'l'), 'æ', 'ae'), 'đ', 'd'),
                '[''’`´.]', '', 'g'
            ),
            '[^\p{L}\p{N}]+'
        ),
        lambda word: word <> '' and not list_contains(
            [
                'dr', 'esq', 'frau', 'herr', 'ii', 'iii', 'jr', 'mba', 'mr', 'mrs', 'ms', 'phd',
                'prof', 'sr'
            ],
            word
        )
    )),
    ' '
);

-- Two words of names that may stand for the same name: equal, an initial of the other,
-- a nickname of the other (`connection.set_nicknames` sets the variable), or close in spelling.
-- A last vowel is no slip of the pen: it tells Paul from Paula and Mario from Maria. Nor is
-- any letter of a short name: it tells Ada from Adam.
create or replace temp macro words_alike(one, other) as
    one = other
    or (length(one) = 1 and starts_with(other, one))
    or (length(other) = 1 and starts_with(one, other))
    or coalesce(list_contains(getvariable('nicknames')[one], other), false)
    or coalesce(list_contains(getvariable('nicknames')[other], one), false)
    or (
        length(one) > 3 and length(other) > 3
        and jaro_winkler_similarity(one, other) >= 0.9
        and regexp_replace(one, '[aeiosy]+$', '') <> regexp_replace(other, '[aeiosy]+$', '')
    );

-- The distinct words of a name that stand in it and not in another.
create or replace temp macro words_besides(one, other) as list_filter(
    list_distinct(string_split(one, ' ')),
    lambda word: not list_contains(string_split(other, ' '), word)
);

-- Whether each of these words has a counterpart among those.
create or replace temp macro have_counterparts(words, other_words) as len(list_filter(
    words,
    lambda ours: len(list_filter(other_words, lambda theirs: words_alike(ours, theirs))) = 0
)) = 0;

-- Two name keys that may belong to one person: every word of the shorter one has a
-- counterpart of its own in the other, and the shorter one has at least two. An unknown
-- name contradicts nothing.
create or replace temp macro names_alike(one, other) as
    coalesce(one, '') = ''
    or coalesce(other, '') = ''
    or one = other
    or (
        least(
            len(list_distinct(string_split(one, ' '))), len(list_distinct(string_split(other, ' ')))
        ) > 1
        and case
            when len(words_besides(one, other)) <= len(words_besides(other, one))
                then have_counterparts(words_besides(one, other), words_besides(other, one))
            else have_counterparts(words_besides(other, one), words_besides(one, other))
        end
    );

-- A name as one would ask for it: in the order of speech, without titles, initials, suffixes
-- and signs.
create or replace temp macro spoken_name(value) as array_to_string(
    list_filter(
        string_split_regex(
            regexp_replace(clean_text(value), '^([^,]+),\s*([^,]+)$', '\2 \1'),
            '[^\p{L}\p{M}\p{N}''’-]+'
        ),
        lambda word: length(word) > 1 and not list_contains(
            [
                'dr', 'esq', 'frau', 'herr', 'ii', 'iii', 'jr', 'mba', 'mr', 'mrs', 'ms', 'phd',
                'prof', 'sr'
            ],
            lower(word)
        )
    ),
    ' '
);
