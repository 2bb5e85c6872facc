"""The authorities that may have signed a server's certificate, in a file of PEM."""

import ssl


def check_authorities(data: bytes) -> str:
    """The text of such a file, when it holds a certificate at least. ValueError when it does not,
    so that a wrong file is a sentence now and no riddle at the first request."""
    text = data.decode("ascii")
    if "BEGIN CERTIFICATE" not in text:
        raise ValueError("no certificate")
    try:
        ssl.create_default_context(cadata=text)
    except ssl.SSLError as error:
        raise ValueError("no certificate that can be read") from error
    return text
