"""Whether two names may belong to one person, by the names alone.

Here: pure functions over name keys (lower-case words without accents and titles, in any order;
the SQL macro `name_key` makes them). Not here: what else tells people apart, such as companies
and identifiers (`warehouse/sql/facts/judge_new_answers.sql`), and names of two scripts
(`identity.py`).
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache

from nicknames import NickNamer
from rapidfuzz.distance import JaroWinkler

LEAST_SIMILARITY = 0.9
GENERATIONS = frozenset({"iv", "2nd", "3rd", "4th"})
"""What may follow a name, beside what `name_key` leaves out already (Jr., III, titles)."""
FIRST_SIGN = "\u3000"
"""From here on, a single sign (Chinese, Japanese, Korean) is a word and not an initial."""
_LAST_VOWELS = re.compile("[aeiosy]+$")


def names_alike(
    one: str, other: str, least_similarity: float = LEAST_SIMILARITY, family_name: str = ""
) -> bool:
    """Whether two name keys may be one person's. An unknown name contradicts nothing.

    All words of one must have a counterpart in the other: the same word (also written
    together or apart), one close in spelling, a short form, or an initial, which serves one
    word only. Initials alone prove nothing. Where it is known what the family name of `one`
    is, that must have a counterpart.
    """
    if not one or not other or one == other:
        return True
    ours, theirs = _words(one), _words(other)
    if min(len(ours), len(theirs)) < 2:
        return False
    same = _take_same(ours, theirs) + _take_joined(ours, theirs)
    alike = _take(ours, theirs, lambda a, b: words_alike(a, b, least_similarity))
    same_words = [word for word, _ in same if not _is_initial(word)]
    if not same_words and not alike:
        return False
    served = _take(ours, theirs, _is_initial_of)
    if (ours and theirs) or len(same) + len(alike) + len(served) < 2:
        return False
    # what is only close in spelling does not do together with an initial
    if served and not same_words:
        return False
    # the P of Thomas P. Mealey does not stand for Palmieri: Mealey would have no counterpart
    if any(_has_word(ours if _is_initial(a) else theirs) for a, _ in served):
        return False
    return not family_name or not set(family_name.split()) <= ours


@lru_cache(maxsize=10_000)
def words_alike(one: str, other: str, least_similarity: float = LEAST_SIMILARITY) -> bool:
    """Whether two words may be the same name: by spelling, or as short forms of given names."""
    if _is_initial(one) or _is_initial(other):
        return False
    if _is_same(one, other) or _is_spelled_alike(one, other, least_similarity):
        return True
    formal_names = _formal_names()
    full, others = formal_names.get(one, ()), formal_names.get(other, ())
    return (
        any(other == name or _is_spelled_alike(other, name, least_similarity) for name in full)
        or any(one == name or _is_spelled_alike(one, name, least_similarity) for name in others)
        # Ben and Bennie, both for Benjamin
        or (one[:3] == other[:3] and not set(full).isdisjoint(others))
    )


def is_shorter_name(one: str, other: str) -> bool:
    """Whether `one` is the name `other` in a shorter form: with initials or a nickname, or less."""
    if one == other or not names_alike(one, other):
        return False
    ours, theirs = _words(one), _words(other)
    _take_same(ours, theirs)
    _take_joined(ours, theirs)
    shorter = _take(ours, theirs, _is_shorter_word)
    return not ours and bool(shorter or theirs)


def _words(key: str) -> set[str]:
    words = set(key.split())
    return words - GENERATIONS or words


Pair = tuple[str, str]


def _take(ours: set[str], theirs: set[str], goes_with: Callable[[str, str], bool]) -> list[Pair]:
    """Take words that go together out of both names, one by one; the same way round and back."""
    taken = []
    candidates = [(a, b) for a in ours for b in theirs if goes_with(a, b)]
    for a, b in sorted(candidates, key=sorted):
        if a in ours and b in theirs:
            ours.remove(a)
            theirs.remove(b)
            taken.append((a, b))
    return taken


def _take_same(ours: set[str], theirs: set[str]) -> list[Pair]:
    """Take the words that both names have."""
    same = ours & theirs
    ours -= same
    theirs -= same
    return [(word, word) for word in same] + _take(ours, theirs, _is_same)


def _take_joined(ours: set[str], theirs: set[str]) -> list[Pair]:
    """Take words of one name that are written apart in the other: Yusic, and Yu and Sic."""
    taken = []
    for whole in sorted(ours | theirs):
        its_side, other_side = (ours, theirs) if whole in ours else (theirs, ours)
        parts = {part for part in other_side if part in whole}
        if whole in its_side and parts and sum(map(len, parts)) == len(whole):
            its_side.remove(whole)
            other_side -= parts
            taken.append((whole, whole))
    return taken


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word < FIRST_SIGN


def _is_initial_of(one: str, other: str) -> bool:
    """Whether one of the two words is an initial of the other."""
    return (_is_initial(one) and other.startswith(one)) or (
        _is_initial(other) and one.startswith(other)
    )


def _is_shorter_word(one: str, other: str) -> bool:
    """Whether `one` is an initial of `other`, or a nickname with fewer letters."""
    if _is_initial(one) or _is_initial(other):
        return _is_initial(one) and not _is_initial(other) and other.startswith(one)
    # some pairs of the table stand in it both ways round: Bob and Robert
    return len(one) < len(other) and (
        other in _formal_names().get(one, ()) or one in _formal_names().get(other, ())
    )


def _has_word(words: set[str]) -> bool:
    return not all(map(_is_initial, words))


def _is_same(one: str, other: str) -> bool:
    """Whether two words are equal, but for umlauts that are written as two letters."""
    return one == other or (one[0] == other[0] and _without_umlauts(one) == _without_umlauts(other))


def _without_umlauts(word: str) -> str:
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _is_spelled_alike(one: str, other: str, least_similarity: float) -> bool:
    """Whether two words are close in spelling.

    A last vowel is no slip of the pen: it tells Paul from Paula and Mario from Maria. Nor is
    any letter of a short name: it tells Ada from Adam, and Chan from Chang. Two letters more
    are another name: Guang and Guangda.
    """
    return (
        min(len(one), len(other)) > 4
        and abs(len(one) - len(other)) <= 1
        and JaroWinkler.similarity(one, other) >= least_similarity
        and _LAST_VOWELS.sub("", one) != _LAST_VOWELS.sub("", other)
    )


@cache
def _formal_names() -> dict[str, frozenset[str]]:
    """For each nickname, the given names that it is short for."""
    found: dict[str, set[str]] = {}
    for formal, nicknames in NickNamer.default_lookup().items():
        for nickname in nicknames:
            found.setdefault(nickname, set()).add(formal)
    return {nickname: frozenset(formal) for nickname, formal in found.items()}
