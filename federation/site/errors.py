"""What can stop a site: a wrong configuration, or data that cannot be read."""

LONGEST = 400


def one_line(text: str, longest: int = LONGEST) -> str:
    """`text` for a terminal or a log: what cannot be printed becomes "?", the middle of a long
    text becomes "…"."""
    if len(text) > longest:
        text = f"{text[: longest - 101]}…{text[-100:]}"
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class SetupError(Exception):
    """The directory of the site is not as it must be; the program does not start.

    `sentence` names the file and the key and says what to do. It holds no path and nothing
    that was read from the hospital's data. It is one line of at most LONGEST characters without
    codes that a terminal would obey, whatever name somebody gave a key. `code`: by which the desk
    says the same in Dutch; "" where nobody at a desk can meet it.
    """

    def __init__(self, sentence: str, code: str = "") -> None:
        self.sentence = one_line(sentence)
        self.code = code
        super().__init__(self.sentence)


class DataError(Exception):
    """The hospital's data cannot be read as the mapping says.

    `code` is stable and all that `str` gives. `detail` names a column for the hospital's own
    `site check`, and `near` the name that is there and looks like it; both must reach no log, no
    reply and no other program. The exception that caused this one is never chained, because its
    text may hold a line of the data.
    """

    def __init__(self, code: str, detail: str = "", near: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.near = near
