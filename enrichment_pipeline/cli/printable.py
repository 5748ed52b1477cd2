"""Text from outside on its way to a terminal.

Here: what a terminal would obey instead of showing. Not here: what is said.
"""


def printable(text: str) -> str:
    """The text, and each character that cannot be seen as its escape sequence's letters."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )
