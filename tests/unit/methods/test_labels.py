from __future__ import annotations

from typing import Any

import pytest

from federation.methods.labels import set_labels, term_labels
from federation.methods.registry import KINDS


@pytest.mark.parametrize(
    ("formula", "label", "terms"),
    [
        ("e ~ g", "g=b", ("g[b]",)),
        ("e ~ g", "g=b,e", ("g[b]", "e")),
        ("e ~ g + h", "g[b],h[yes]", ("g[b]", "h[yes]")),
        ("e ~ g*h", "g=a,h=no", ("g[a]", "h[no]")),
        ("e ~ C(age)", "age=[25,30)", ("age[[25,30)]",)),
        ("e ~ C(age)", "age=[25,30),e", ("age[[25,30)]", "e")),
        ("e ~ C(age) + h", "age[[25,30)],h[yes]", ("age[[25,30)]", "h[yes]")),
    ],
)
def test_each_set_of_a_model_names_its_terms(
    formula: str, label: str, terms: tuple[str, ...], ask: Any
) -> None:
    question = ask("regression", family="binomial", formula=formula)
    method = KINDS["regression"]
    assert label in set_labels(method, question)
    assert term_labels(method, question)[label] == terms


def test_only_models_name_terms(ask: Any) -> None:
    assert term_labels(KINDS["count"], ask("count", by=["g"])) == {}
