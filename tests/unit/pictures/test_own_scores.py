"""A patient's own scores as a picture: points in place, the limit named, nothing cut off."""

import re
from xml.etree import ElementTree as ET

import pytest

from registry.pictures.own_scores import SHAPES, OwnScoreWords, Scored, own_score

WORDS = OwnScoreWords("Feelings", "before: 67, after <6> months: 100", "limit 71")
POINTS = [
    Scored("before the treatment", 67, "67", "start"),
    Scored("after 3 months", 0, "0", "3 mo"),
    Scored("after 6 months", 100, "100", "6 mo"),
    Scored("after 12 months", 72, "72", "12 mo"),
    Scored("after 24 months", 71, "71", "24 mo"),
]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("limit", [None, (71.0, True), (39.0, False)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_points_limit_and_words(shape, limit, count):
    svg = own_score(POINTS[:count], limit, words=WORDS, shape=shape, key="feelings")
    assert "style=" not in svg
    root = ET.fromstring(svg)  # noqa: S314  our own text
    width = float(root.attrib["viewBox"].split()[2])
    dots = [(float(d.attrib["cx"]), float(d.attrib["cy"])) for d in root.iter(f"{SVG}circle")]
    assert len(dots) == count
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    assert all(40 < x < width for x, _ in dots)
    # A higher score lies higher.
    order = sorted(range(count), key=lambda i: POINTS[i].value)
    assert [dots[i][1] for i in order] == sorted((y for _, y in dots), reverse=True)
    said = [each.text for each in root.iter(f"{SVG}text")]
    assert {point.shown for point in POINTS[:count]} <= set(said)
    assert ("limit 71" in said) == (limit is not None)
    assert len(list(root.iter(f"{SVG}rect"))) == (0 if limit is None else 1)
    if count == 5 and shape.name == "phone":
        assert {"start", "3 mo", "24 mo"} <= set(said)  # little room
    if count == 1:
        assert "before the treatment" in said
    if limit is not None:
        (band,) = root.iter(f"{SVG}rect")
        top = float(band.attrib["y"])
        low = top + float(band.attrib["height"])
        inside = [top <= y <= low for _, y in dots]
        value, below = limit
        wanted = [(p.value <= value) if below else (p.value >= value) for p in POINTS[:count]]
        assert inside == wanted
    # No text sticks out to the right.
    for each in root.iter(f"{SVG}text"):
        size = float(each.attrib["font-size"]) * 0.5 * len(each.text or "")
        start = float(each.attrib["x"])
        anchor = each.attrib.get("text-anchor", "start")
        end = start + {"start": size, "middle": size / 2, "end": 0.0}[anchor]
        assert end <= width + 1, each.text
    assert re.search(r"<desc[^>]*>before: 67, after &lt;6&gt; months", svg)
