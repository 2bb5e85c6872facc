"""What can be wrong with bytes that came from outside."""


class ProtocolError(Exception):
    """Bytes that are not what the protocol `oncokring/1` says they must be.

    `code` is stable and holds nothing that was read from the message.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
