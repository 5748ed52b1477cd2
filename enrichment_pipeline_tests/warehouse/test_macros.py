"""The rules by which two values are the same: text, profile URLs, e-mails and names."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pytest

from enrichment_pipeline.vocabulary import PRIORITIES, VALUE_STATUSES, words_of


def ask(connection: duckdb.DuckDBPyConnection, expression: str, *values: object) -> object:
    return connection.execute(f"select {expression}", list(values)).fetchall()[0][0]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (" Ada ", "Ada"),
        ("\t\r\nAda\v", "Ada"),
        ("\u00a0Ada\u202f\u3000", "Ada"),
        ("A\u200bda\ufeff", "Ada"),
        ("\u200fעדה\u200e", "עדה"),
        ("\u2068Ada\u2069", "Ada"),
        ("A\u00adda", "Ada"),
        ("Ada  Example", "Ada  Example"),
        ("", None),
        (" \u00a0\u200b\n", None),
        (None, None),
    ],
)
def test_clean_text(macros: duckdb.DuckDBPyConnection, given: str, text: str | None) -> None:
    assert ask(macros, "clean_text(?)", given) == text


@pytest.mark.parametrize(
    "url",
    [
        "https://www.linkedin.com/in/ada-example",
        "http://www.linkedin.com/in/ada-example",
        "https://linkedin.com/in/ada-example",
        "www.linkedin.com/in/ada-example",
        "linkedin.com/in/ada-example",
        "https://de.linkedin.com/in/ada-example",
        "https://m.linkedin.com/in/ada-example",
        "https://www.linkedin.com/mwlite/in/ada-example",
        "https://www.linkedin.com/in/ada-example/",
        "https://www.linkedin.com/in/ada-example/de",
        "https://www.linkedin.com/in/ada-example/en-us/",
        "https://www.linkedin.com/in/ada-example?trk=public&x=/in/bob",
        "https://www.linkedin.com/in/ada-example#about",
        "HTTPS://WWW.LINKEDIN.COM/IN/ADA-EXAMPLE",
        " \u00a0https://www.linkedin.com/in/Ada-Example\u200b ",
        "https://www.linkedin.com/in/ada%2Dexample",
    ],
)
def test_a_profile_in_any_variant_is_one(macros: duckdb.DuckDBPyConnection, url: str) -> None:
    assert ask(macros, "linkedin_slug(?)", url) == "ada-example"


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://www.linkedin.com/in/jos%C3%A9-n", "josé-n"),
        ("https://www.linkedin.com/in/JOSÉ-n", "josé-n"),
        ("https://www.linkedin.com/in/jose\u0301-n", "josé-n"),
        ("https://www.linkedin.com/in/jose%CC%81-n", "josé-n"),
        ("https://www.linkedin.com/in/%E4%BD%A0", "你"),
        # half an encoding, and Latin-1's: once one such URL ended the whole load
        ("https://www.linkedin.com/in/100%", "100%"),
        ("https://www.linkedin.com/in/jos%E9", "jos%e9"),
        ("https%3A%2F%2Fwww.linkedin.com%2Fin%2Fada%2Dexample", "ada-example"),
        ("https://www.linkedin.com/in/ada-example%20", "ada-example"),
        ("https://www.linkedin.com/in/ada-example%3Ftrk=public", "ada-example"),
        ("https://www.linkedin.com/in/" + "a" * 200, "a" * 200),
    ],
)
def test_a_profile_with_accents(macros: duckdb.DuckDBPyConnection, url: str, slug: str) -> None:
    assert ask(macros, "linkedin_slug(?)", url) == slug


@pytest.mark.parametrize(
    "url",
    [
        "https://www.linkedin.com/company/acme",
        "https://www.linkedin.com/pub/ada-example/1/2/3",
        "https://www.linkedin.com/in/",
        "https://www.linkedin.com/",
        "https://www.linkedin.com/feed/in/ada",
        "https://evil-linkedin.com/in/ada",
        "https://linkedin.com.evil.net/in/ada",
        "https://example.net/?u=linkedin.com/in/ada",
        "mailto:ada@linkedin.com",
        "https://www.linkedin.com/in/ada%00example",
        "https://www.linkedin.com/in/ada%2500example",
        "https://www.linkedin.com/in/ada%00%E9",
        "https://www.linkedin.com/in/ada\x00example",
        "https://www.linkedin.com/in/ada%0aexample",
        # its beginning may be somebody else's
        "https://www.linkedin.com/in/ada%20example",
        "https://www.linkedin.com/in/" + "a" * 201,
        "https://www.linkedin.com/in/" + "a" * 1_000_000,
        "ada-example",
        "n/a",
        "",
        None,
    ],
)
def test_what_is_no_profile_has_no_slug(macros: duckdb.DuckDBPyConnection, url: str) -> None:
    assert ask(macros, "linkedin_slug(?)", url) is None


@pytest.mark.parametrize(
    ("given", "email"),
    [
        ("ada@acme.com", "ada@acme.com"),
        (" ADA@Acme.COM\u00a0", "ada@acme.com"),
        ("a\u200bda@acme.com", "ada@acme.com"),
        ("mailto:ada@acme.com", "ada@acme.com"),
        ("MAILTO:ada@acme.com?subject=Hi", "ada@acme.com"),
        ("Ada Example <Ada@acme.com>", "ada@acme.com"),
        ('"Example, Ada" <ada@acme.com>', "ada@acme.com"),
        ("ada.e+crm_1@mail.acme.co.uk", "ada.e+crm_1@mail.acme.co.uk"),
        ("o'neill@acme.com", "o'neill@acme.com"),
        ("ada@xn--grnvolt-n2a.de", "ada@xn--grnvolt-n2a.de"),
        ("ada@acme", None),
        ("ada@acme..com", None),
        ("ada@-acme.com", None),
        ("ada acme.com", None),
        ("@acme.com", None),
        ("ada@acme.com; bob@acme.com", None),
        ("ada@@acme.com", None),
        ("ada b@acme.com", None),
        ("n/a", None),
        ("", None),
        (None, None),
    ],
)
def test_email_address(macros: duckdb.DuckDBPyConnection, given: str, email: str | None) -> None:
    assert ask(macros, "email_address(?)", given) == email


@pytest.mark.parametrize(
    ("email", "is_role"),
    [
        ("info@acme.com", True),
        ("sales@acme.com", True),
        ("no-reply@acme.com", True),
        ("infora@acme.com", False),
        ("ada.info@acme.com", False),
        ("ada@info.com", False),
    ],
)
def test_is_role_address(macros: duckdb.DuckDBPyConnection, email: str, is_role: bool) -> None:
    assert ask(macros, "is_role_address(?)", email) is is_role


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Ada Example", "ada example"),
        ("EXAMPLE, Ada", "ada example"),
        (" Ada\u00a0 Example ", "ada example"),
        ("Dr. Ada Example, PhD", "ada example"),
        ("Mr Bob Smith Jr.", "bob smith"),
        ("José Núñez", "jose nunez"),
        ("Jose\u0301 Nu\u0301n\u0303ez", "jose nunez"),
        ("Seán O’Brien", "obrien sean"),
        ("Sean O'Brien", "obrien sean"),
        ("Søren Großmann-Łuk", "grossmann luk soren"),
        ("Jean-Luc Picard", "jean luc picard"),
        ("Ada 🚀 Example", "ada example"),
        ("איתן אברהם", "אברהם איתן"),
        ("조지영", "조지영"),
        ("Dr.", ""),
        ("...", ""),
        ("", None),
        (None, None),
    ],
)
def test_name_key(macros: duckdb.DuckDBPyConnection, name: str, key: str | None) -> None:
    assert ask(macros, "name_key(?)", name) == key


SAME = [
    ("Robert Smith", "SMITH, Robert"),
    ("Robert Smith", "Bob Smith"),
    ("William Clark", "Bill Clark"),
    ("Robert Smith", "R. Smith"),
    ("Robert Smith", "Robert S."),
    ("Robert James Smith", "Robert Smith"),
    ("Robert J. Smith", "Robert James Smith"),
    ("J. R. Smith", "John Robert Smith"),
    ("Jones Jack", "J Jones"),
    ("Ana María Núñez", "Ana Maria Nunez"),
    ("José García", "García José"),
    ("Jürgen Schäfer", "Juergen Schaefer"),
    ("Hans Müller", "Mueller, Hans"),
    ("Søren Åkesson", "Soren Akesson"),
    ("Björn Gross", "Bjoern Groß"),
    ("Jon Smith", "John Smith"),
    ("Philip Hoffmann", "Philipp Hoffman"),
    ("Seán O’Brien", "Sean OBrien"),
    ("Jan van der Berg", "Jan Berg"),
    ("Ann Smith", "Ann Smith-Jones"),
    ("Prof. Ada Example", "Ada Example"),
    ("איתן אברהם", "אברהם איתן"),
    ("조지영", "조지영"),
    # written together, apart, or with a hyphen
    ("Yu-Sic Kim", "Yusic Kim"),
    ("Kim Yu Sic", "Yusic Kim"),
    ("Hee June Kwak", "Heejune Kwak"),
    ("Jan van der Berg", "Jan Vanderberg"),
    ("Sean O Brien", "Seán O’Brien"),
    # short and long forms of one given name
    ("Ben Freborg", "Bennie Freborg"),
    ("Bart Verlinden", "Bartholomeus Verlinden"),
    ("Paul Valint, Jr.", "Paul Valint III"),
    ("Paul Valint IV", "Paul R. Valint"),
    ("J. Müller", "Jürgen Mueller"),
    ("Ada Example", ""),
    ("Ada Example", None),
]
DIFFERENT = [
    # initials are never the only evidence, and each serves one word
    ("Chin Chang", "Tove C. Bolken"),
    ("Bob Brown", "Anna B. Miller"),
    ("J. R.", "J. R. Smith"),
    ("James D. Anderson", "David J. Arneson"),
    # a family name needs a counterpart: an initial of a middle name is none
    ("Thomas P. Mealey", "Thomas Palmieri"),
    ("Robert J. Smith", "James Smith"),
    ("Robert J. Smith", "Robert Jones"),
    ("Wei Chan", "Wei Chang"),
    ("John Smith", "Jane Smith"),
    ("John Smith", "John Miller"),
    ("John Smith", "Smith"),
    ("Smith", "Jones"),
    # an initial stands for one word only: once J passed for the Jones that was matched already
    ("J Jones", "Mary Jones"),
    ("D Da Silva", "Maria Da Silva"),
    ("Adam Smith", "S Smith"),
    ("A Smith", "Bob Smith"),
    ("Martin Schmidt", "Martina Schmidt"),
    ("Paul Weber", "Paula Weber"),
    ("Mario Rossi", "Maria Rossi"),
    ("Andreas Meier", "Andrea Meier"),
    ("Gabriel Berg", "Gabriele Berg"),
    ("Simon Petit", "Simone Petit"),
    ("Liz Clark", "Bill Clark"),
    ("Ada Example", "Adam Example"),
    ("Wei Zhang", "Wei Zhao"),
    ("Li Wang", "Li Wong"),
    ("Jan de Vries", "Piet de Vries"),
    ("Ali Ali", "Ali Hassan"),
    ("Carlos Silva Santos", "Carlos Pereira Santos"),
    ("조지영", "조지훈"),
]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        # words for nothing that are names of people
        ((None, "Nan", "Koppinger"), "Nan Koppinger"),
        ((None, "Na", "Li"), "Na Li"),
        ((None, "Kim", "Na"), "Kim Na"),
        ((None, "Jennifer", "Null"), "Jennifer Null"),
        ((None, "Nil", "Admirari"), "Nil Admirari"),
        (("NA LI", None, None), "NA LI"),
        (("n/a", "Ada", "Example"), "Ada Example"),
        (("Ada Example", "Bob", "Builder"), "Ada Example"),
        # what cannot be a name
        ((None, "Ada", "N/A"), "Ada"),
        ((None, "Ada", "-"), "Ada"),
        ((None, "unknown", "Example"), "Example"),
        ((None, "Unknown", "unknown"), None),
        (("null", None, None), None),
        (("None", None, None), None),
        ((None, "nan", "NaN"), None),
        ((None, "null", "null"), None),
        ((None, None, "Na"), None),
        ((" ", "", None), None),
    ],
)
def test_in_a_name_only_what_cannot_be_one_is_nothing(
    macros: duckdb.DuckDBPyConnection, parts: tuple[str | None, ...], name: str | None
) -> None:
    assert ask(macros, "written_name(?, ?, ?)", *parts) == name


@pytest.mark.parametrize("text", ["Na", "nan", "NULL", "None", "nil", "n/a", "unknown", "-"])
def test_in_other_columns_such_words_are_nothing(
    macros: duckdb.DuckDBPyConnection, text: str
) -> None:
    assert ask(macros, "real_text(?)", text) is None


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Ada Example", "ada"),
        ("Example, Ada", "ada"),
        ("Paul L. Valint, Jr.", "paul"),
        ("A. Example", None),
    ],
)
def test_given_name(macros: duckdb.DuckDBPyConnection, name: str, given: str | None) -> None:
    assert ask(macros, "given_name(?)", name) == given


@pytest.mark.parametrize(
    ("full_name", "last_name", "family"),
    [
        ("Ada Example", "Example", "Example"),
        ("Example, Ada", None, "Example"),
        ("Ada Example", None, None),
        ("Ada Example,", "-", None),
    ],
)
def test_family_name(
    macros: duckdb.DuckDBPyConnection, full_name: str, last_name: str | None, family: str | None
) -> None:
    assert ask(macros, "family_name(?, ?)", full_name, last_name) == family


def judge(
    connection: duckdb.DuckDBPyConnection, pairs: Sequence[tuple[str, str | None]]
) -> dict[tuple[str | None, str | None], bool]:
    """Whether the names of each pair are alike, asked both ways round."""
    both = [*pairs, *((other, one) for one, other in pairs)]
    rows = connection.execute(
        "select one, other, names_alike(coalesce(name_key(one), ''), name_key(other)) "
        "from (select unnest($ones::varchar[]) as one, unnest($others::varchar[]) as other)",
        {"ones": [one for one, _ in both], "others": [other for _, other in both]},
    ).fetchall()
    return {(one, other): is_alike for one, other, is_alike in rows}


def test_spellings_of_one_name_are_alike(macros: duckdb.DuckDBPyConnection) -> None:
    found = judge(macros, SAME)
    assert len(found) == len({*SAME} | {(other, one) for one, other in SAME})
    assert [pair for pair, is_alike in found.items() if is_alike is not True] == []


def test_names_of_two_people_are_not_alike(macros: duckdb.DuckDBPyConnection) -> None:
    found = judge(macros, DIFFERENT)
    assert len(found) == 2 * len(DIFFERENT)
    assert [pair for pair, is_alike in found.items() if is_alike is not False] == []


def test_words_rank_by_their_place_and_others_as_the_last(
    macros: duckdb.DuckDBPyConnection,
) -> None:
    priorities = [*PRIORITIES, "gold", None]
    assert [ask(macros, "priority_rank(?)", each) for each in priorities] == [0, 1, 2, 3, 3, 3]
    statuses = [*words_of(VALUE_STATUSES), "any", None]
    assert [ask(macros, "status_rank(?)", each) for each in statuses] == [0, 1, 2, 2, 2]
