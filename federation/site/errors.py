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

    `code` is stable and never holds a header, a path or a value from the data; the exception
    that caused it must not be chained into anything that is printed.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
