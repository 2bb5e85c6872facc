"""Whether two names are of one person: what opens for a patient takes two people."""

MOST = 100


def same_person(one: str, other: str) -> bool:
    """Whether two names are of one person, however they are spaced or capitalised."""
    return one_spelling(one) == one_spelling(other)


def is_name(name: str) -> bool:
    """Whether this can be the name of a person: at least two letters, at most 100 signs."""
    letters = sum(character.isalpha() for character in name)
    return letters >= 2 and len(name) <= MOST and name.isprintable()


def one_spelling(name: str) -> str:
    """The name however it was spaced or capitalised."""
    return " ".join(name.split()).casefold()
