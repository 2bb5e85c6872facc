"""A directory is what it was when made, and anything wrong in it is named and stops the start."""

import json
import stat

import pytest
import yaml

from consent.periods import Periods
from federation.disclosure.policy import Policy
from federation.protocol.keys import BoxKey, PublicIdentity, SigningKey
from federation.site.directory import SiteDirectory, init_site, kept_codebook, pin_peers
from federation.site.errors import SetupError
from federation.site.settings import read_settings, settings_text


def sentence(path):
    with pytest.raises(SetupError) as caught:
        SiteDirectory.load(path)
    text = caught.value.sentence
    assert str(path) not in text
    return text


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_directory_reads_back(site, codebook):
    again = SiteDirectory.load(site.path)

    assert again.settings == site.settings
    assert again.settings.name == "Ziekenhuis 'Nul'"
    assert again.identity == site.identity
    assert again.policy == Policy.strict()
    assert again.settings.studies["onco"].codebook_sha256 == codebook.sha256
    assert kept_codebook(site.path, again.settings.studies["onco"]).sha256 == codebook.sha256


def test_keys_are_for_the_owner_only(site):
    for key in (site.path / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_directory_is_made_once(make_site):
    make_site()
    with pytest.raises(SetupError, match="already holds a site"):
        make_site()


@pytest.mark.parametrize("value", ['a"b', "a\\b", "é\n\t\x7f", "x = 1\n[studies]"])
def test_any_name_survives_the_file(make_site, value):
    assert make_site(name=value).settings.name == value


def test_a_source_of_tables_survives_the_file(make_site):
    source = {
        "kind": "sqlite",
        "path": "x.sqlite",
        "tables": ["a", "b"],
        "join": {"left": "a.id", "right": "b.id"},
    }
    assert make_site(source=source).settings.source == source


@pytest.mark.parametrize(
    "key", ["slug", "name", "network", "hub", "codebook", "codebook_sha256", "requires", "approve"]
)
def test_a_missing_key_is_named(site, key):
    file = site.path / "site.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"{key} =")]
    file.write_text("\n".join(lines))

    assert f"'{key}' is missing" in sentence(site.path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('slug = "h0"', 'slug = "h 0"', "slug"),
        ('slug = "h0"', 'slug = "h0"\nextra = 1', "'extra'"),
        ('approve = "committee"', 'approve = "nobody"', "approve"),
        ('approve = "committee"', 'approve = "committee"\nfoo = 1', "'foo'"),
        ('requires = ["use.network"]', "requires = []", "requires"),
        ('requires = ["use.network"]', 'requires = ["contact.results"]', "requires"),
        ('requires = ["use.network"]', 'requires = ["Use Network"]', "requires"),
        ('kinds = "all"', 'kinds = "some"', "kinds"),
        ('mapping = "mapping.yaml"', 'mapping = "../mapping.yaml"', "mapping"),
        ('mapping = "mapping.yaml"', 'mapping = "other.yaml"', "other.yaml"),
        ('kind = "csv"', 'kind = "excel"', "kind"),
        ('kind = "csv"', 'kind = "csv"\ntables = ["a"]', "'tables'"),
        ('kind = "csv"', 'kind = "csv"\ndelimiter = ",,"', "delimiter"),
        ('kind = "csv"', 'kind = "csv"\nencoding = "klingon"', "encoding"),
        ('kind = "csv"', 'kind = "csv"\nnull = "NA"', "null"),
        ('kind = "csv"', 'kind = "csv"\ndecimal = ";"', "decimal"),
        ('codebook = "gbsg/1"', 'codebook = "gbsg/2"', "codebook"),
        ("hub = ", "hub = 1 #", "hub"),
        ("[source]", "[source", "TOML"),
    ],
)
def test_a_wrong_key_is_named(site, old, new, named):
    edit(site.path / "site.toml", old, new)

    assert named in sentence(site.path)


def test_how_long_a_yes_lasts_here(site):
    """The optional table [consent]: cautious without it, and never a number that is none."""
    path = site.path / "site.toml"
    plain = path.read_text()
    assert read_settings(site.path).periods == Periods()
    path.write_text(plain.replace("[source]", "[consent]\nrenewal_years = 3\n\n[source]", 1))
    own = read_settings(site.path)
    assert own.periods == Periods(renewal_years=3)
    path.write_text(settings_text(own))
    assert read_settings(site.path) == own
    for wrong in ("renewal_years = 0", "use_years = 101", "use_years = '30'", "remind_years = 2"):
        path.write_text(plain.replace("[source]", f"[consent]\n{wrong}\n\n[source]", 1))
        with pytest.raises(SetupError, match="consent"):
            read_settings(site.path)
    path.write_text("consent = 5\n" + plain)
    with pytest.raises(SetupError, match="must be a table"):
        read_settings(site.path)


@pytest.mark.parametrize("file", ["site.toml", "policy.yaml", "mapping.yaml", "peers.json"])
def test_a_missing_file_is_named(site, file):
    (site.path / file).unlink()

    assert file in sentence(site.path)


@pytest.mark.parametrize("key", list(yaml.safe_load(Policy.strict().to_yaml())))
def test_a_policy_without_any_of_its_keys_stops(site, key):
    policy = yaml.safe_load((site.path / "policy.yaml").read_text())
    del policy[key]
    (site.path / "policy.yaml").write_text(yaml.safe_dump(policy))

    assert key in sentence(site.path)


@pytest.mark.parametrize(("key", "value"), [("t_cell", 3), ("t_cel", 10), ("min_sites", 2)])
def test_a_policy_below_the_floor_or_misspelt_stops(site, key, value):
    policy = {**yaml.safe_load((site.path / "policy.yaml").read_text()), key: value}
    (site.path / "policy.yaml").write_text(yaml.safe_dump(policy))

    assert key in sentence(site.path)


@pytest.mark.parametrize("name", ["sign.key", "box.key", "portal.key"])
def test_a_missing_damaged_or_open_key_stops(site, name):
    key = site.path / "keys" / name
    secret = key.read_bytes()
    key.chmod(0o644)
    assert "chmod 600" in sentence(site.path)

    key.chmod(0o600)
    key.write_bytes(secret[:-1])
    assert f"{name} is damaged" in sentence(site.path)

    key.unlink()
    assert f"{name} is missing" in sentence(site.path)


def test_a_changed_codebook_stops(site):
    (file,) = (site.path / "codebooks").iterdir()
    book = json.loads(file.read_text())
    book["variables"]["age"]["cuts"] = [30, 31, 32]
    file.write_text(json.dumps(book))

    assert "codebook" in sentence(site.path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("codebook: gbsg/1", "codebook: gbsg/9", "codebook"),
        ("key: nr", "extra: nr", "'extra'"),
        ("key: nr\n", "", "'key'"),
        ("key: nr", "key: [nr]", "key"),
        ("{column: leeftijd}", "{kolom: leeftijd}", "variables.age"),
        ("{column: leeftijd}", "{column: leeftijd, expr: x}", "'expr'"),
        ("{column: leeftijd}", "{column: a, subtract: [a, b]}", "variables.age"),
        ("{column: leeftijd}", "{subtract: [a]}", "variables.age"),
        ("{column: leeftijd}", "{column: a, times: -1}", "times"),
        ("{column: leeftijd}", '{days_between: [a, b], format: "%x"}', "format"),
        ("{column: leeftijd}", '{days_between: [a, b], format: "%d-%d-%Y"}', "format"),
        ("{column: leeftijd}", "leeftijd", "variables.age"),
        ("  age: {", "  leeftijd_: {", "leeftijd_"),
        ("  age: {", "  Age: {", "variables"),
        ("ja: true", "ja: misschien", "hormone"),
        ("ja: true", "ja: null", "map"),
        ("{column: graad}", "{days_between: [a, b]}", "grade"),
        ("variables:", "variables: [1]\nx:", "'x'"),
        ("variables:", "&a variables:", "mapping.yaml"),
    ],
)
def test_a_wrong_mapping_is_named(site, old, new, named):
    edit(site.path / "mapping.yaml", old, new)

    assert named in sentence(site.path)


def test_source_options_may_stand_in_the_mapping_but_not_differ(site):
    edit(site.path / "mapping.yaml", "key: nr", 'source: {delimiter: ";"}\nkey: nr')
    assert SiteDirectory.load(site.path).mappings["mapping.yaml"].source.delimiter == ";"

    edit(site.path / "site.toml", 'kind = "csv"', 'kind = "csv"\ndelimiter = "|"')
    assert "delimiter" in sentence(site.path)


def other(slug):
    return PublicIdentity(slug, SigningKey.generate().public, BoxKey.generate().public)


def test_peers_are_pinned(site):
    peers = {"h0": site.identity, "h1": other("h1")}
    pin_peers(site.path, peers)

    assert SiteDirectory.load(site.path).peers == peers


def test_pins_without_this_site_or_with_one_key_twice_stop(site):
    pin_peers(site.path, {"h1": other("h1")})
    assert "this site" in sentence(site.path)

    pin_peers(site.path, {"h0": other("h0")})
    assert "this site" in sentence(site.path)

    twin = PublicIdentity("h1", site.identity.sign, other("h1").box)
    pin_peers(site.path, {"h0": site.identity, "h1": twin})
    assert "same signing key" in sentence(site.path)


@pytest.mark.parametrize("text", ["[]", "{", '{"h1": {"sign": "x", "box": "y"}}', '{"h1": 1}'])
def test_malformed_pins_stop(site, text):
    (site.path / "peers.json").write_text(text)

    assert "peers.json" in sentence(site.path)


def test_a_site_made_with_a_hash_only_keeps_no_codebook(make_site, codebook):
    study = {
        "codebook": codebook.id,
        "codebook_sha256": codebook.sha256,
        "requires": ["use.network"],
        "kinds": ["count"],
        "variables": ["age"],
    }
    site = make_site(studies={"onco": study})

    assert kept_codebook(site.path, site.settings.studies["onco"]) is None
    assert site.settings.studies["onco"].kinds == {"count"}
    assert site.settings.studies["onco"].variables == {"age"}


def test_a_bad_hub_key_is_refused_when_the_site_is_made(tmp_path):
    with pytest.raises(SetupError):
        init_site(
            tmp_path,
            slug="h0",
            name="x",
            network="net",
            hub_public="short",
            source={"kind": "csv", "path": "x"},
            mapping=b"",
            policy=b"",
            studies={},
        )
