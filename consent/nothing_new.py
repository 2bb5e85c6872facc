"""The item behind level W2, under the name by which withdrawing knows it.

The rule is in consent/rule.py: data of before the first "no" to it that stands may be used on.
"""

from consent.rule import COLLECT_NEW as COLLECT_NEW
