"""For a program whose output others read: nothing but what it says itself."""

import logging
import sys
import threading
import warnings


def be_silent() -> None:
    """No log record, warning or traceback leaves this process: each may repeat what it was given.
    That includes those of libraries and of every thread."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    threading.excepthook = lambda _: None
    sys.excepthook = lambda *_: None
