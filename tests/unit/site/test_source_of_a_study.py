"""One hospital, two systems: a study may have a source of its own, with a mapping of its own."""

import pytest

from federation.site.choices.handles import list_handles
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.settings import SITE_FILE

OTHER = b"codebook: gbsg/1\nkey: id\nvariables:\n  age: {column: age}\n"
SOURCE = {"kind": "csv", "path": "other.csv", "delimiter": ";", "null": ["?"]}


@pytest.fixture
def two(make_site, codebook, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    # P1 is known to both systems, X to the other only.
    (folder / "other.csv").write_text("id;age\nP1;40\nX;50\n")
    (folder / "other.yaml").write_bytes(OTHER)
    study = {"codebook": codebook, "requires": ["use.network"]}
    return make_site(
        studies={"one": study, "two": {**study, "mapping": "other.yaml", "source": SOURCE}}
    )


def test_each_mapping_reads_its_own_source(two):
    settings = two.settings
    assert settings.studies["two"].source == SOURCE
    assert settings.studies["one"].source is None
    assert two.mappings["mapping.yaml"].source.path.name == "data.csv"
    other = two.mappings["other.yaml"].source
    assert (other.path.name, other.delimiter, other.null) == ("other.csv", ";", frozenset("?"))
    assert SiteDirectory.load(two.path).settings == settings, "the file says the same"
    # Consent is looked up by the patient's number, whichever system it stands in.
    assert len(list_handles(two)) == 41


def test_a_mapping_is_for_one_source(two):
    file = two.path / SITE_FILE
    text = file.read_text()
    file.write_text(text.replace('mapping = "other.yaml"', 'mapping = "mapping.yaml"'))
    with pytest.raises(SetupError, match=r"one.*two.*different sources"):
        SiteDirectory.load(two.path)


def test_a_source_is_a_table_and_a_right_one(two):
    file = two.path / SITE_FILE
    text = file.read_text()
    file.write_text(text.replace("[studies.two.source]", "[studies.two.sauce]"))
    with pytest.raises(SetupError, match="unknown key 'sauce'"):
        SiteDirectory.load(two.path)
    file.write_text(text.partition("[studies.two.source]")[0] + "source = 3\n")
    with pytest.raises(SetupError, match=r"studies.two.source must be a table"):
        SiteDirectory.load(two.path)
    file.write_text(text.replace('path = "other.csv"\n', ""))
    with pytest.raises(SetupError, match=r"source\.path is missing"):
        SiteDirectory.load(two.path)
