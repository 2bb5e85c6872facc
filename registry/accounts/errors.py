"""What can go wrong with accounts, each with a stable code and a sentence for the person."""

from __future__ import annotations

from collections.abc import Mapping

# code -> (what happened and why, what to do)
ACCOUNT_ERRORS: Mapping[str, tuple[str, str]] = {
    "WRONG_SIGN_IN": (
        "The name, the password or the six-digit code is not right, or the code was used before.",
        "Wait for the next code in your app and try again.",
    ),
    "LOCKED": (
        "There were too many wrong attempts, so signing in is locked for a while.",
        "Wait and try again later, or ask the network office to unlock the account.",
    ),
    "WEAK_PASSWORD": (
        "The password is shorter than 8 characters, longer than 256, or very common.",
        "Choose a sentence of a few words.",
    ),
    "NAME_TAKEN": ("An account with this name exists.", "Choose another name."),
    "BAD_NAME": (
        "An account name has 2 to 64 characters: letters, digits, dot, hyphen, underscore, @.",
        "Choose another name.",
    ),
    "UNKNOWN_ACCOUNT": (
        "There is no account with this name.",
        "See the list with: oncokring user list",
    ),
    "UNKNOWN_ROLE": (
        "This role does not exist, or its scope does not.",
        "Roles: administrator, coordinator, researcher, committee, board, steward, auditor; "
        "scope: network, site:SLUG or study:SLUG.",
    ),
    "UNKNOWN_SCOPE": ("A token's scope is read or write.", "Leave other words out."),
    "TOKEN_TOO_LONG": (
        "A token lasts at most one year from now and its end must lie ahead.",
        "Choose an earlier end date.",
    ),
    "UNKNOWN_TOKEN": ("There is no such token.", "See the list with: oncokring token list"),
    "LAST_ADMINISTRATOR": (
        "This is the last account that can administer the network.",
        "Give another account the role administrator first.",
    ),
}


class AccountError(Exception):
    """An act on accounts was refused; ``code`` is a key of :data:`ACCOUNT_ERRORS`."""

    def __init__(self, code: str, *, retry_after: int | None = None) -> None:
        what, todo = ACCOUNT_ERRORS[code]
        super().__init__(f"{what} {todo}")
        self.code = code
        self.message = what
        self.todo = todo
        self.retry_after = retry_after
