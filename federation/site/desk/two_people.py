"""Whether two names are of one person: what opens for a patient takes two people."""


def same_person(one: str, other: str) -> bool:
    """Whether two names are of one person, however they are spaced or capitalised."""
    return one_spelling(one) == one_spelling(other)


def one_spelling(name: str) -> str:
    """The name however it was spaced or capitalised."""
    return " ".join(name.split()).casefold()
