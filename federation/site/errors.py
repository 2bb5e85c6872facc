"""What can stop a site: a wrong configuration, or data that cannot be read."""


class SetupError(Exception):
    """The directory of the site is not as it must be; the program does not start.

    `sentence` names the file and the key and says what to do. It holds no path and nothing
    that was read from the hospital's data.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class DataError(Exception):
    """The hospital's data cannot be read as the mapping says.

    `code` is stable and all that `str` gives. `detail` names a column for the hospital's own
    `site check`; it must reach no log, no reply and no other program. The exception that caused
    this one is never chained, because its text may hold a line of the data.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
