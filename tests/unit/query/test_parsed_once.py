"""A codebook is read once and shared: equal data only, and nothing in it can change."""

from __future__ import annotations

import pytest

from federation.query.codebook import MOST_KEPT, Codebook
from federation.query.errors import QueryError

UNITS = {
    "codebook": "u/1",
    "units": {"patient": None, "tumour": "patient"},
    "variables": {
        "sex": {"type": "category", "levels": ["m", "f"]},
        "stage": {"type": "category", "levels": ["I", "II"], "per": "tumour"},
    },
}


def test_equal_data_are_read_once_and_nothing_else_counts_as_equal() -> None:
    def grade(**spec: object) -> dict[str, object]:
        return {"codebook": "once/1", "variables": {"v": {"type": "category", **spec}}}

    def boolean(sensitive: object) -> Codebook:
        spec = {"type": "boolean", "sensitive": sensitive}
        return Codebook.from_dict({"codebook": "once/1", "variables": {"v": spec}})

    first = Codebook.from_dict(grade(levels={"1": "well", "2": "poor"}))
    assert Codebook.from_dict(grade(levels={"1": "well", "2": "poor"})) is first
    # The first level is the reference, so the order of an object's keys is part of what it says.
    turned = Codebook.from_dict(grade(levels={"2": "poor", "1": "well"}))
    assert [level.code for level in turned.variables["v"].levels] == ["2", "1"]
    # 1 == True, and None is written as null; only one of each two is a codebook.
    boolean(True)
    with pytest.raises(QueryError, match="true or false"):
        boolean(1)
    null = {"codebook": "once/1", "variables": {"null": {"type": "boolean"}}}
    assert "null" in Codebook.from_dict(null).variables
    with pytest.raises(QueryError, match="A variable's name"):
        Codebook.from_dict({"codebook": "once/1", "variables": {None: {"type": "boolean"}}})
    data = grade(levels=["a", "b"])
    read = Codebook.from_dict(data)
    data["codebook"] = "changed/1"
    assert (read.id, Codebook.from_dict(data).id) == ("once/1", "changed/1")
    for n in range(MOST_KEPT):
        Codebook.from_dict({"codebook": f"other/{n}", "variables": {"v": {"type": "boolean"}}})
    assert Codebook.from_dict(grade(levels={"1": "well", "2": "poor"})) is not first


def test_what_is_shared_cannot_be_changed() -> None:
    book = Codebook.from_dict({**UNITS, "dates": {"tumour": {"first": "day"}}})
    assert book.at("tumour").at("tumour") is book.at("tumour")
    assert book.at("tumour").sha256 == book.sha256
    stage = book.variables["stage"]
    parts = [book, book.at("tumour"), stage, stage.levels[0], stage.label, book.dates["tumour"]]
    for part in parts:
        for name in ("nl", "label", "id", "first"):
            with pytest.raises(AttributeError):
                setattr(part, name, "other")
            with pytest.raises((AttributeError, TypeError)):
                delattr(part, name)
    for mapping in (book.variables, book.units, book.dates, book.at("tumour").variables):
        with pytest.raises(TypeError):
            mapping["more"] = None  # type: ignore[index]
    given = book.to_dict()
    given["variables"].clear()
    given["units"].clear()
    assert book.to_dict()["variables"]
    assert len(book.to_dict()["units"]) == len(book.units) > 1
