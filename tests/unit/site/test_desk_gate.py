"""Forms of the desk: once each, however often they are sent."""

from __future__ import annotations

import threading

import pytest

from federation.site.desk.gate import MOST_FORMS, Gate, Refused


def test_the_gate_keeps_few_forms_and_does_an_act_once():
    gate = Gate()
    first = gate.new_form()
    done: list[int] = []

    def act() -> str:
        done.append(1)
        return f"form/{len(done)}"

    threads = [threading.Thread(target=gate.once, args=(first, act)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1]
    keys = [gate.new_form() for _ in range(MOST_FORMS)]
    with pytest.raises(Refused):
        gate.once(first, act)
    with pytest.raises(ZeroDivisionError):
        gate.once(keys[0], lambda: str(1 / 0))
    assert gate.once(keys[0], act) == "form/2", "what failed can be sent again"
