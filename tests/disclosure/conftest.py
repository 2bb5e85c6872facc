"""Five real hospitals for each test of this folder (tests/support/hospitals.py)."""

from hospitals import build, five, net, read

__all__ = ["build", "five", "net", "read"]
