"""The shapes in which CRMs and loaders leave contacts, and how each is proposed to be read.

The columns are those of the public seeds of Fivetran's dbt packages, of Salesforce's and HubSpot's
exports and of dlt's sources; the people are made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import sqlalchemy as sa

from enrichment_pipeline.attachment import read_attachment
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import SourcePolicy
from enrichment_pipeline.warehouse import proposed_mapping
from enrichment_pipeline.warehouse.attached_source import (
    attached_source,
    read_accounts,
    read_contacts,
)
from enrichment_pipeline.warehouse.proposed_mapping import (
    Proposal,
    SourceTable,
    people_in,
    propose,
    tables_of,
)
from enrichment_pipeline.warehouse.source_preview import preview_contacts
from enrichment_pipeline_tests import databases


def write_files(folder: Path, **tables: str) -> Path:
    """A CSV file for each table, its text as it is given but for the indentation."""
    folder.mkdir(exist_ok=True)
    for name, text in tables.items():
        lines = "\n".join(line.strip() for line in text.strip().splitlines())
        (folder / f"{name}.csv").write_text(f"{lines}\n", encoding="utf-8")
    return folder


def write_database(path: Path, *statements: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def proposed(source: Path, **chosen: Any) -> Proposal:
    with attached_source(source) as reading:
        return propose(tables_of(reading), **chosen)


def read(
    macros: duckdb.DuckDBPyConnection, source: Path, proposal: Proposal
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Contacts and accounts by id, as a load reads them; only what they have."""
    policy = SourcePolicy(contacts=proposal.contacts_query, accounts=proposal.accounts_query)
    with attached_source(source) as reading:
        read_contacts(reading, macros, policy)
        read_accounts(reading, macros, policy)
    return (
        _by_id(macros, "incoming_contacts", "contact_id"),
        _by_id(macros, "incoming_accounts", "account_id"),
    )


def _by_id(macros: duckdb.DuckDBPyConnection, table: str, key: str) -> dict[str, dict[str, Any]]:
    rows = macros.execute(f"select * from {table}").fetchall()
    names = [column[0] for column in macros.description or ()]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for row in found:
        row.pop("row_hash")
        row.pop("source_rows", None)
    return {
        row.pop(key): {name: value for name, value in row.items() if value is not None}
        for row in found
    }


# --- Salesforce ------------------------------------------------------------------------


def test_salesforce_by_its_own_names(macros: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    source = write_files(
        tmp_path / "export",
        Contact="""
            Id,IsDeleted,AccountId,LastName,FirstName,Salutation,Name,MailingCity,Phone,MobilePhone,Email,Title,CreatedDate,LastModifiedDate,SystemModstamp,LinkedIn_URL__c
            003A,false,001A,Example,Ada,Ms,Ada Example,Bern,+41 31 300 00 00,,ada@example.com,CTO,2025-01-02T03:04:05.000+0000,2025-02-02T03:04:05.000+0000,2025-03-02T03:04:05.000+0000,linkedin.com/in/ada
            003B,true,001A,Gone,Bob,Mr,Bob Gone,,,,bob@example.com,,,,,
            003C,false,001B,Sample,Cy,,Cy Sample,,+41 31 300 00 01,+41 79 123 45 67,,,,,,
        """,  # noqa: E501
        Lead="""
            Id,IsDeleted,LastName,FirstName,Name,Title,Company,Phone,Email,Website,IsConverted,ConvertedContactId
            00QA,false,Lead,Dee,Dee Lead,CEO,Leadco,,dee@leadco.com,https://leadco.com,false,
            00QB,false,Example,Ada,Ada Example,CTO,Example,,ada@example.com,,true,003A
        """,
        Account="""
            Id,IsDeleted,Name,Type,Website,AnnualRevenue,NumberOfEmployees,Rating,Account_Tier__c
            001A,false,Example Ltd,Customer,www.example.com,5000000,40,Hot,Target
            001B,true,Gone Ltd,,,,,,
        """,
        OpportunityContactRole="Id,ContactId,OpportunityId,Role\n1,003A,006A,Decider",
        AccountContactRelation="Id,AccountId,ContactId\n1,001A,003A",
    )
    contacts, accounts = read(macros, source, proposed(source))
    assert contacts.keys() == {"003A", "003C", "00QA"}
    ada = contacts["003A"]
    assert str(ada.pop("created_at")).startswith("2025-01-02 03:04:05")
    assert str(ada.pop("updated_at")).startswith("2025-02-02 03:04:05")
    assert ada == {
        "account_id": "001A",
        "first_name": "Ada",
        "last_name": "Example",
        "full_name": "Ada Example",
        "email": "ada@example.com",
        "phone": "+41 31 300 00 00",
        "linkedin_url": "linkedin.com/in/ada",
        "job_title": "CTO",
    }
    assert contacts["003C"]["phone"] == "+41 79 123 45 67"
    assert contacts["00QA"]["company_name"] == "Leadco"
    assert contacts["00QA"]["company_domain"] == "https://leadco.com"
    assert accounts == {
        "001A": {
            "name": "Example Ltd",
            "domain": "www.example.com",
            "tier": "target",
            "annual_revenue": 5_000_000,
            "employee_count": 40,
        }
    }


CONTACT = """\
create table {} as select * from (values
    ('003A', timestamp '2026-01-01', '001A', 'ada@example.com', 'Ada', false, 'Example', null,
     '+41 79 123 45 67', 'Ada Example', '+41 31 300 00 00', 'CTO', timestamp '2025-01-02',
     timestamp '2025-02-02', timestamp '2025-02-03', true, 'linkedin.com/in/ada'),
    ('003A', timestamp '2026-01-01', '001A', 'old@example.com', 'Ada', false, 'Example', null,
     null, 'Ada Example', null, 'CTO', timestamp '2025-01-02', timestamp '2025-02-01',
     timestamp '2025-02-03', false, null),
    ('003B', timestamp '2026-01-01', '001A', 'bob@example.com', 'Bob', true, 'Gone', null, null,
     'Bob Gone', null, null, null, null, null, true, null)
) as t (id, _fivetran_synced, account_id, email, first_name, is_deleted, last_name,
    master_record_id, mobile_phone, name, phone, title, created_date, last_modified_date,
    system_modstamp, _fivetran_active, linked_in_url_c)"""
ACCOUNT = """\
create table {} as select * from (values
    ('001A', timestamp '2026-01-01', 'Example Ltd', 'example.com', 5e6, 40, false, true)
) as t (id, _fivetran_synced, name, website, annual_revenue, number_of_employees, is_deleted,
    _fivetran_active)"""


def test_salesforce_by_fivetran_in_a_schema_beside_its_dbt_models(
    macros: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = write_database(
        tmp_path / "warehouse.duckdb",
        "create schema salesforce",
        "create schema analytics",
        CONTACT.format("salesforce.contact"),
        CONTACT.format("salesforce.contact_history"),
        ACCOUNT.format("salesforce.account"),
        "create table salesforce.opportunity as select '006' as id, '001A' as account_id",
        """
        create table analytics.salesforce__contact_enhanced as
        select id as contact_id, name as contact_name, account_id, email, mobile_phone, phone,
            is_deleted as contact_is_deleted, 'Example Ltd' as account_name
        from salesforce.contact
        """,
        """
        create table analytics.stg_salesforce__account as
        select id as account_id, name as account_name, website, is_deleted from salesforce.account
        """,
    )
    proposal = proposed(source)
    assert [each.table.label for each in proposal.contacts] == ["salesforce.contact"]
    assert proposal.accounts is not None
    assert proposal.accounts.table.label == "salesforce.account"
    contacts, accounts = read(macros, source, proposal)
    assert contacts.keys() == {"003A"}
    assert contacts["003A"]["email"] == "ada@example.com"
    assert contacts["003A"]["phone"] == "+41 79 123 45 67"
    assert contacts["003A"]["linkedin_url"] == "linkedin.com/in/ada"
    assert accounts["001A"]["employee_count"] == 40


def test_models_of_the_dbt_package_alone_are_read_as_well(
    macros: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = write_files(
        tmp_path / "models",
        salesforce__contact_enhanced="""
            contact_id,contact_name,account_id,email,contact_is_deleted,mobile_phone,phone,account_name,account_annual_revenue,account_is_deleted
            003A,Ada Example,001A,ada@example.com,false,,+41 31 300 00 00,Example Ltd,5000000,false
            003B,Bob Gone,001A,bob@example.com,true,,,Example Ltd,5000000,false
        """,
        stg_salesforce__account="""
            account_id,account_name,annual_revenue,number_of_employees,website,is_deleted
            001A,Example Ltd,5000000,40,example.com,false
        """,
    )
    contacts, accounts = read(macros, source, proposed(source))
    assert contacts == {
        "003A": {
            "account_id": "001A",
            "full_name": "Ada Example",
            "email": "ada@example.com",
            "phone": "+41 31 300 00 00",
            "company_name": "Example Ltd",
        }
    }
    assert accounts["001A"]["domain"] == "example.com"


# --- HubSpot ---------------------------------------------------------------------------


def test_hubspot_by_fivetran(macros: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    source = write_files(
        tmp_path / "hubspot",
        contact="""
            _fivetran_deleted,_fivetran_synced,property_email,id,property_company,property_firstname,property_lastname,property_email_1,property_createdate,property_jobtitle,property_annualrevenue,property_hs_merged_object_ids,property_created_at,property_first_conversion_date,property_associatedcompanyid,property_mobilephone,property_phone,property_hs_linkedin_url
            FALSE,2026-01-01 00:00:00,,101,Example,Ada,Example,ada@example.com,2025-01-02 03:04:05,CTO,1,,2025-01-02 03:04:05,,201,,+41 31 300 00 00,linkedin.com/in/ada
            TRUE,2026-01-01 00:00:00,bob@example.com,102,,Bob,Gone,,,,,,,,,,,
        """,  # noqa: E501
        company="""
            id,is_deleted,_fivetran_synced,property_name,property_description,property_createdate,property_domain,property_industry,property_annualrevenue,property_numberofemployees,property_hs_all-funky-a9384-syntax
            201,false,2026-01-01 3:15:52,Example,,2025-07-05 20:35:26,example.com,,10000000,40,23
            202,true,2026-01-01 3:15:52,Gone,,,,,,,
        """,
        contact_list="id,name,is_deleted\n1,All,false",
        contact_list_member="contact_id,contact_list_id\n101,1",
        contact_form_submission="contact_id,form_id,timestamp\n101,1,2025-01-01",
        engagement_contact="engagement_id,contact_id\n1,101",
        engagement_company="engagement_id,company_id\n1,201",
        deal_company="company_id,deal_id\n201,1",
        property="_fivetran_id,name,label\n1,email,E-mail",
    )
    contacts, accounts = read(macros, source, proposed(source))
    assert contacts.keys() == {"101"}
    ada = contacts["101"]
    assert str(ada.pop("created_at")).startswith("2025-01-02 03:04:05")
    assert ada == {
        "account_id": "201",
        "first_name": "Ada",
        "last_name": "Example",
        "email": "ada@example.com",
        "phone": "+41 31 300 00 00",
        "linkedin_url": "linkedin.com/in/ada",
        "company_name": "Example",
        "job_title": "CTO",
    }
    assert accounts == {
        "201": {
            "name": "Example",
            "domain": "example.com",
            "annual_revenue": 10_000_000,
            "employee_count": 40,
        }
    }


def test_hubspot_as_a_person_exports_it(macros: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    source = tmp_path / "hubspot-crm-exports-all-contacts-2026-01-01.csv"
    source.write_text(
        "Record ID,First Name,Last Name,Email,Phone Number,Job Title,Company Name,LinkedIn Bio,"
        "Primary Associated Company ID,Create Date,Last Modified Date\n"
        "101,Ada,Example,ada@example.com,,CTO,Example,linkedin.com/in/ada,201,2025-01-02 03:04,\n",
        encoding="utf-8",
    )
    contacts, accounts = read(macros, source, proposed(source))
    assert contacts["101"]["account_id"] == "201"
    assert contacts["101"]["linkedin_url"] == "linkedin.com/in/ada"
    assert contacts["101"]["company_name"] == "Example"
    assert accounts == {}


# --- dlt -------------------------------------------------------------------------------


def test_hubspot_by_dlt(macros: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    source = write_database(
        tmp_path / "dlt.duckdb",
        "create schema hubspot_data",
        """
        create table hubspot_data.contacts as select * from (values
            ('101', '101', timestamptz '2025-01-02 00:00:00Z', 'ada@example.com', 'Ada', 'Example',
             timestamptz '2025-02-02 00:00:00Z', false, '1735', 'x1'),
            ('102', '102', timestamptz '2025-01-02 00:00:00Z', 'bob@example.com', 'Bob', 'Gone',
             timestamptz '2025-02-02 00:00:00Z', true, '1735', 'x2')
        ) as t (id, hs_object_id, createdate, email, firstname, lastname, lastmodifieddate,
            is_deleted, _dlt_load_id, _dlt_id)
        """,
        """
        create table hubspot_data.companies as
        select '201' as id, 'Example' as name, 'example.com' as domain, '1735' as _dlt_load_id
        """,
        """
        create table hubspot_data.companies__contacts as
        select '201' as value, '101' as contacts_id, 'x' as _dlt_parent_id, 0 as _dlt_list_idx
        """,
        "create table hubspot_data._dlt_loads as select '1735' as load_id, 0 as status",
    )
    proposal = proposed(source)
    contacts, accounts = read(macros, source, proposal)
    assert contacts.keys() == {"101"}
    assert contacts["101"]["first_name"] == "Ada"
    assert accounts["201"] == {"name": "Example", "domain": "example.com"}
    assert "account_id" in proposal.not_found["contacts"]


def test_the_current_version_of_a_row_is_read_where_dlt_keeps_them_all(
    macros: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = write_database(
        tmp_path / "dlt.duckdb",
        """
        create table contact as select * from (values
            ('003A', 'new@example.com', timestamp '2025-02-01', null),
            ('003A', 'old@example.com', timestamp '2025-01-01', timestamp '2025-02-01')
        ) as t (id, email, _dlt_valid_from, _dlt_valid_to)
        """,
    )
    contacts, _accounts = read(macros, source, proposed(source))
    assert contacts == {"003A": {"email": "new@example.com"}}


# --- anybody's -------------------------------------------------------------------------


def test_a_list_without_ids_is_given_them_and_an_empty_line_is_nobody(
    macros: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = write_files(
        tmp_path / "list",
        messe_2026="""
            Vorname,Nachname,Firma,E-Mail-Adresse,Telefon,Stelle
            Ada,Example,Example AG,Ada@Example.com,+41 31 300 00 00,CTO
            ,,,,,
            Bob,Sample,Sample AG,,,
        """,
    )
    proposal = proposed(source)
    assert proposal.contacts[0].id_is_made
    contacts, _accounts = read(macros, source, proposal)
    assert {each["last_name"] for each in contacts.values()} == {"Example", "Sample"}
    assert all(len(contact_id) == 32 for contact_id in contacts)


def test_names_are_quoted_whatever_is_in_them(
    macros: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = write_database(
        tmp_path / "odd.duckdb",
        'create schema "my ""crm"""',
        '''
        create table "my ""crm"""."select contact; drop table x" as
        select 7 as "Contact ID", 'ada@example.com' as "E-Mail ""work""", 'x' as "select",
            'Ada' as "First	Name", 'Example' as "LAST.NAME", '1' as "e-mail"
        ''',
    )
    proposal = proposed(source)
    contacts, _accounts = read(macros, source, proposal)
    assert contacts == {"7": {"first_name": "Ada", "last_name": "Example", "email": "1"}}


def test_rows_without_an_id_can_be_left_out(
    macros: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = write_files(
        tmp_path / "crm", contacts="id,email\n1,ada@example.com\n ,bob@example.com\n,cy@example.com"
    )
    proposal = proposed(source)
    policy = SourcePolicy(contacts=proposal.contacts_query)
    with attached_source(source) as reading:
        preview = preview_contacts(reading, policy, rows=1)
    assert (preview.contacts, preview.nameless) == (3, 2)
    assert preview.filled["email"] == 3
    assert preview.first == [{"contact_id": "1", "email": "ada@example.com"}]
    with_ids = Proposal((proposal.contacts[0].with_ids_only(),), None)
    assert read(macros, source, with_ids)[0].keys() == {"1"}


def table(name: str, *columns: str, schema: str = "main") -> SourceTable:
    return SourceTable(schema, name, dict.fromkeys(columns, "VARCHAR"))


def test_of_two_tables_the_one_with_more_columns_is_proposed_and_then_the_plainer_name() -> None:
    found = people_in(
        [
            table("crm_contacts_old", "id", "email", "phone"),
            table("contacts", "id", "email"),
            table("crm_contacts", "id", "email", "phone"),
            table("contact_lists", "id", "name"),
        ]
    )
    assert [each.table.name for each in found] == ["crm_contacts", "crm_contacts_old", "contacts"]


def test_leads_are_read_beside_contacts_of_the_same_schema_or_alone() -> None:
    contacts = table("contact", "id", "email", schema="sf")
    leads = table("lead", "id", "email", "is_converted", schema="sf")
    elsewhere = table("lead", "id", "email", "company", schema="old")
    both = propose([leads, contacts, elsewhere])
    assert [each.table.label for each in both.contacts] == ["sf.contact", "sf.lead"]
    assert "is_converted" in both.contacts[1].conditions
    [alone] = propose([leads]).contacts
    assert alone.conditions == {}


def test_a_table_is_named_with_or_without_its_schema_in_any_case() -> None:
    tables = [
        table("People", "id", "email", schema="crm"),
        table("firms", "id", "name", schema="crm"),
        table("contacts", "id", "email"),
    ]
    chosen = propose(tables, contacts=["crm.people"], accounts="FIRMS")
    assert chosen.contacts[0].table.label == "crm.People"
    assert chosen.accounts is not None
    assert chosen.accounts.table.label == "crm.firms"


@pytest.mark.parametrize(
    ("tables", "chosen", "words"),
    [
        ([], {}, ["no table looks like contacts", "there are none"]),
        ([table("orders", "id", "amount")], {}, ["--contacts", "there are orders"]),
        ([table("contacts", "id", "email")], {"contacts": ["leads"]}, ["leads: is no table"]),
        ([table("contacts", "id", "email")], {"accounts": "x"}, ["--accounts x", "no table"]),
        ([table("orders", "id", "amount")], {"contacts": ["orders"]}, ["id, amount"]),
        (
            [table("c", "id", "email", schema=schema) for schema in ("a", "b")],
            {"contacts": ["c"]},
            ["several schemas", "a.c, b.c"],
        ),
    ],
)
def test_what_cannot_be_proposed_is_said_with_what_there_is(
    tables: list[SourceTable], chosen: Mapping[str, Any], words: Iterable[str]
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        propose(tables, **chosen)
    for word in words:
        assert word in str(refused.value)


def test_no_name_stands_for_two_of_our_columns() -> None:
    names = proposed_mapping._names()
    for columns in (names.contacts, names.accounts):
        pairs = combinations(columns.items(), 2)
        shared = {(a, b): {*of_a} & {*of_b} for (a, of_a), (b, of_b) in pairs}
        assert {pair: both for pair, both in shared.items() if both} == {}
    every = chain(*names.contacts.values(), *names.accounts.values(), *names.left_out.values())
    assert all(every)


# --- other databases -------------------------------------------------------------------


def test_the_tables_of_a_postgres_database_are_found_with_their_schemas(
    macros: duckdb.DuckDBPyConnection, postgres_server: sa.URL
) -> None:
    url = sa.make_url(databases.new_postgres(postgres_server)).set(drivername="postgresql")
    address = url.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("create schema salesforce")
        connection.execute(
            "create table salesforce.contact (id text, email text, is_deleted bool, last_name text)"
        )
        connection.execute(
            "insert into salesforce.contact values ('003A', 'a@one.com', false, 'A'),"
            " ('003B', 'b@one.com', true, 'B')"
        )
    source = read_attachment(address, Path("/"), {}, key="[source] attach")
    with attached_source(source) as reading:
        proposal = propose(tables_of(reading))
        read_contacts(reading, macros, SourcePolicy(contacts=proposal.contacts_query))
    assert [each.table.label for each in proposal.contacts] == ["salesforce.contact"]
    assert _by_id(macros, "incoming_contacts", "contact_id") == {
        "003A": {"email": "a@one.com", "last_name": "A"}
    }
