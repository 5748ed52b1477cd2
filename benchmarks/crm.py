"""A CRM of any size, made in SQL: as a source to load, and as a warehouse that has loaded it.

Here: people, their duplicates, their accounts and the look-ups that they have had. Not here:
any measurement. Everything follows from row numbers: the same size gives the same rows.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb

ACCOUNTS = 500_000

_PEOPLE = """
create or replace temp macro draw(n, what) as hash(n, what) % 10000 / 10000.0;

-- Each tenth contact is a duplicate of another, each twentieth has nothing to be known by. Of
-- the rest six in ten have a profile URL, three quarters of these and all others an e-mail, three
-- in ten a phone, of which one in fifteen is a switchboard that many share.
create or replace temp view people as
with numbered as (
    select
        n,
        n % 20 = 7 as is_nobody,
        case when n % 10 = 9 then n - 1 - 10 * (hash(n) % least(50, 1 + n // 10))::bigint else n
        end as person,
        hash(n, 'account') % {accounts} as account
    from range({contacts}) as numbers (n)
)

select
    n,
    person,
    account,
    md5('contact ' || n) as contact_id,
    md5('account ' || account) as account_id,
    'first' || hash(person, 'first') % 5000 as first_name,
    'last' || hash(person, 'last') % 50000 as last_name,
    case when not is_nobody and draw(person, 'linkedin') < 0.6 then 'person-' || person end as slug,
    case when not is_nobody and (draw(person, 'linkedin') >= 0.6 or draw(person, 'email') < 0.75)
        then concat('person', person, '@company', hash(person, 'account') % {accounts}, '.com')
    end as email,
    case when is_nobody or draw(person, 'phone') >= 0.3 then null
        when draw(person, 'phone') < 0.02 then '+1415' || (2000000 + account % 5000)
        else '+1212' || (2000000 + person % 7000000) end as phone,
    concat('company', account, '.com') as domain
from numbered;
"""

_ACCOUNT_ROWS = """
select
    md5('account ' || n) as account_id,
    'Company ' || n as name,
    concat('company', n, '.com') as domain,
    case when n % 50 = 0 then 'strategic' when n % 10 = 1 then 'target' end as tier,
    10000 * (n % 9973) as annual_revenue,
    1 + n % 4999 as employee_count,
    case when n % 4 = 0 then 100 * (n % 9973) end as open_pipeline
from range({accounts}) as numbers (n)
"""

_CONTACT_ROWS = """
select
    contact_id, account_id, first_name, last_name, email, phone,
    'https://www.linkedin.com/in/' || slug as linkedin_url,
    'Company ' || account as company_name,
    domain as company_domain,
    {job_title} as job_title,
    timestamptz '2025-01-01 00:00:00+00' + to_seconds(n) as created_at
from people
"""

_WAREHOUSE = """
insert into staging.accounts by name
select *, md5(account_id) as row_hash, $as_of - interval 1 day as loaded_at from accounts;

insert into staging.contacts by name
select *, md5(contact_id) as row_hash, $as_of - interval 1 day as loaded_at from contacts;

insert into staging.contact_parts by name
select
    contact_id,
    md5(contact_id) as row_hash,
    '' as phone_region_default,
    concat(first_name, ' ', last_name) as name_key,
    slug as linkedin_slug,
    email,
    split_part(email, '@', 2) as email_domain,
    domain as company_domain,
    domain as name_company,
    phone,
    phone as phone_text,
    coalesce(slug, email, phone) is not null as has_any_identifier
from people;

insert into staging.shared_identifiers by name
select 'phone:' || phone as alias
from people
where phone like '+1415%'
group by phone
having count(distinct person) > 1;

insert into staging.contact_persons by name
select contact_id, md5('person ' || person) as person_key, $as_of - interval 100 day as assigned_at
from people;

insert into staging.person_aliases by name
select alias, md5('person ' || min(person)) as person_key, 'source' as origin, $as_of as added_at
from (
    select 'linkedin:' || slug as alias, person from people where slug is not null
    union all
    select 'email:' || email as alias, person from people where email is not null
    union all
    select 'phone:' || phone as alias, person from people where phone is not null
    union all
    select concat('name:', first_name, ' ', last_name, '@', domain) as alias, person from people
)
where alias not in (select alias from staging.shared_identifiers)
group by alias;

-- one in a thousand may not be asked for
insert into staging.suppressions by name
select 'email:' || sha256(email) as identifier from people where n % 1000 = 0 and email is not null;

-- Half of the people have been looked up in the last 120 days, a fifth of these before as well;
-- one in thirty of the others has a look-up that failed. One in fifty look-ups is on its way,
-- in doubt, or refused; of the rest three quarters found somebody.
insert into raw.lookups by name
with known as (
    select
        person,
        md5('person ' || person) as person_key,
        draw(person, 'looked up') < 0.5 as is_looked_up,
        draw(person, 'outcome') as outcome_draw,
        $as_of - to_seconds(cast(draw(person, 'age') * 120 * 86400 as bigint)) as requested_at
    from people
    where person = n and coalesce(slug, email, phone) is not null
),

last_ones as (
    select
        *,
        md5('lookup ' || person) as lookup_id,
        case when draw(person, 'before') < 0.2 then md5('before ' || person) else '' end
            as supersedes,
        case
            when outcome_draw < 0.005 then 'open'
            when outcome_draw < 0.01 then 'unconfirmed'
            else 'answered'
        end as state,
        case
            when outcome_draw < 0.01 then null
            when outcome_draw < 0.02 then 'refused'
            when outcome_draw < 0.26 then 'no_match'
            else 'matched'
        end as outcome,
        null as reason
    from known
    where is_looked_up
),

all_of_them as (
    select * exclude (is_looked_up, outcome_draw) from last_ones
    union all by name
    select
        person, person_key, supersedes as lookup_id, '' as supersedes, 'answered' as state,
        'matched' as outcome, requested_at - interval 90 day as requested_at
    from last_ones
    where supersedes <> ''
    union all by name
    select
        person, person_key, md5('failed ' || person) as lookup_id, '' as supersedes,
        'released' as state, 'retriable' as outcome, 'timeout_exceeded' as reason,
        $as_of - to_seconds(cast(draw(person, 'age') * 7200 as bigint)) as requested_at
    from known
    where not is_looked_up and draw(person, 'failed') < 0.03
)

select
    lookup_id, 'signalhire' as provider, person_key, supersedes,
    md5('contact ' || person) as contact_id, md5('item ' || person) as item,
    'email' as item_kind, 'new' as freshness, 'bulk' as priority,
    'run-' || date_trunc('day', requested_at) as run_id, state, outcome, reason,
    case when state = 'answered' then md5('reply ' || person // 100) end as reply_id,
    person % 100 as answer_index, cast(outcome = 'matched' as integer) as credits_charged,
    requested_at,
    case when state = 'answered' then requested_at + interval 2 second end as answered_at,
    row_number() over (order by requested_at, lookup_id) // 100 as revision
from all_of_them;
"""


def write_source(folder: Path, contacts: int, *, changed: float = 0.0) -> None:
    """A folder of Parquet: contacts, of which a share has another job title, and accounts."""
    folder.mkdir(exist_ok=True)
    job_title = f"'Engineer' || case when draw(n, 'changed') < {changed} then ' II' else '' end"
    with duckdb.connect() as connection:
        _make_people(connection, contacts)
        contact_rows = _CONTACT_ROWS.format(job_title=job_title)
        connection.execute(f"copy ({contact_rows}) to '{folder}/contacts.parquet'")
        account_rows = _ACCOUNT_ROWS.format(accounts=ACCOUNTS)
        connection.execute(f"copy ({account_rows}) to '{folder}/accounts.parquet'")


def fill_warehouse(
    connection: duckdb.DuckDBPyConnection, contacts: int, *, as_of: datetime
) -> None:
    """Everything that loading such a source, and looking up half of it, leaves behind."""
    _make_people(connection, contacts)
    account_rows = _ACCOUNT_ROWS.format(accounts=ACCOUNTS)
    connection.execute(f"create or replace temp view accounts as {account_rows}")
    contact_rows = _CONTACT_ROWS.format(job_title="'Engineer'")
    connection.execute(f"create or replace temp view contacts as {contact_rows}")
    for statement in connection.extract_statements(_WAREHOUSE):
        values = {"as_of": as_of}
        connection.execute(statement, {name: values[name] for name in statement.named_parameters})


def _make_people(connection: duckdb.DuckDBPyConnection, contacts: int) -> None:
    connection.execute(_PEOPLE.format(contacts=contacts, accounts=ACCOUNTS))
