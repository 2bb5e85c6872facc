"""Where mail is handed over: the address of an SMTP server, and one conversation with it.

Only over TLS, but to this machine itself. What a server answers is kept as a number, never as text:
it may repeat an address.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

from federation.carriage.address import is_here
from registry.mail.models import Mail

SECONDS = 30.0


class MailSettingsError(ValueError):
    """A setting about mail is wrong; the sentence names it."""


class NotHandedOver(Exception):
    """The mail was certainly not taken. ``lasting``: the server will not have it, ever. ``code`` is
    the server's number, or a word of ours."""

    def __init__(self, code: str, *, lasting: bool) -> None:
        super().__init__(code)
        self.code, self.lasting = code, lasting


@dataclass(frozen=True)
class MailServer:
    """An SMTP server and who we are there."""

    host: str
    port: int
    tls: bool  # from the first byte; otherwise STARTTLS, which is demanded
    sender: str
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    local: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "local", is_here(self.host))


def read_server(
    url: str, sender: str, user: str = "", password: str = "", ca: str = ""
) -> MailServer | None:
    """The server that the settings name; None without one. MailSettingsError for a wrong one."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/"):
        raise MailSettingsError(
            "ONCOKRING_SMTP must be the address of the mail server, such as "
            "smtp://mail.example.nl:587 (STARTTLS) or smtps://mail.example.nl:465."
        )
    if "@" in parts.netloc:
        raise MailSettingsError(
            "ONCOKRING_SMTP holds a name; put it in ONCOKRING_SMTP_USER and the password in the "
            "file of ONCOKRING_SMTP_PASSWORD_FILE."
        )
    if not is_address(sender):
        raise MailSettingsError(
            "ONCOKRING_MAIL_FROM must be the address that mail comes from, such as "
            "oncokring@hub.example.nl."
        )
    if bool(user) != bool(password):
        raise MailSettingsError(
            "ONCOKRING_SMTP_USER and ONCOKRING_SMTP_PASSWORD_FILE belong together; set both or "
            "neither."
        )
    tls = parts.scheme == "smtps"
    return MailServer(
        parts.hostname,
        port or (465 if tls else 587),
        tls,
        sender,
        user,
        Path(password) if password else None,
        Path(ca) if ca else None,
    )


def is_address(text: str) -> bool:
    """Whether this looks like one mail address that an SMTP server takes, and nothing besides."""
    name, at, domain = text.rpartition("@")
    return (
        bool(at and name and domain)
        and len(text) <= 254
        and text.isascii()
        and all(sign.isalnum() or sign in "._%+-" for sign in name)
        and all(part and all(s.isalnum() or s == "-" for s in part) for part in domain.split("."))
    )


def hand_over(server: MailServer, mail: Mail, begun: Callable[[], bool]) -> bool:
    """Give one mail to the server; whether it took it. NotHandedOver when it certainly did not.

    ``begun`` is asked just before the text goes, and says whether to go on; False comes back when
    not. From then until the server's word, nobody can know what became of it: any other exception
    means just that.
    """
    message = _message(server, mail)
    try:
        talk = _open(server)
    except smtplib.SMTPAuthenticationError as error:
        raise NotHandedOver(str(error.smtp_code), lasting=False) from None
    except (smtplib.SMTPException, ssl.SSLError, OSError):
        raise NotHandedOver("UNREACHABLE", lasting=False) from None
    try:
        _name(talk, server.sender, mail.address)
        if not begun():
            return False
        code, _ = talk.data(message.as_bytes())
        if code >= 400:
            raise NotHandedOver(str(code), lasting=code >= 500)
        return True
    except smtplib.SMTPDataError as error:
        raise NotHandedOver(str(error.smtp_code), lasting=error.smtp_code >= 500) from None
    finally:
        talk.close()


def _name(talk: smtplib.SMTP, sender: str, to: str) -> None:
    """Say from whom and to whom; nothing has been taken yet."""
    try:
        for code, _ in (talk.mail(sender), talk.rcpt(to)):
            if code >= 400:
                raise NotHandedOver(str(code), lasting=code >= 500)
    except (smtplib.SMTPException, OSError):
        raise NotHandedOver("UNREACHABLE", lasting=False) from None


def _open(server: MailServer) -> smtplib.SMTP:
    trusted = ssl.create_default_context(cafile=server.ca_file)
    if server.tls:
        talk: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=SECONDS, context=trusted
        )
    else:
        talk = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
    try:
        talk.ehlo_or_helo_if_needed()
        if not server.tls and not server.local:
            talk.starttls(context=trusted)
            talk.ehlo()
        if server.password_file is not None:
            talk.login(server.user, server.password_file.read_text("utf-8").strip())
    except BaseException:
        talk.close()
        raise
    return talk


def _message(server: MailServer, mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Oncokring <{server.sender}>"
    message["To"] = mail.address
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.made_at)
    # The same each time it is offered, so that a mail server can see that it has it already.
    message["Message-ID"] = f"<{mail.id}@{server.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    return message
