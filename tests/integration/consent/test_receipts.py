"""Receipts: complete, checkable with the keys file alone, and no byte can be changed unseen."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent import receipts
from consent.dpv import dpv_record
from consent.models import Receipt
from consent.receipt_check import PROFILE
from consent.tree_heads import sign_head
from federation.protocol.keys import SigningKey
from federation.protocol.transparency import PublishedKey, head_signer, receipt_signer
from registry import hub_keys
from registry.commands.receipt import receipt as receipt_command
from registry.receipts.checking import as_file, check
from registry.settings import Settings
from studies.seeds.oncozon import ONCOZON

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)  # as in conftest.py
NETWORK = ONCOZON.slug
KEY, OTHER = SigningKey(bytes(range(32))), SigningKey(bytes(range(1, 33)))
KEYS = (PublishedKey(KEY.kid, KEY.public, NOW - timedelta(days=1)),)


def pen(key: SigningKey = KEY, now: datetime = NOW) -> receipts.Signers:
    return receipts.Signers(head_signer(key, now), receipt_signer(key, now), key.kid)


def document(hub, of: Receipt, signers: receipts.Signers | None = None) -> dict:
    signers = signers or pen()
    made = receipts.receipt_document(hub.session, of, signers=signers, base="https://hub.example")
    return receipts.signed_document(made, signers)


@pytest.fixture
def given_receipt(hub) -> Receipt:
    for _ in range(3):
        hub.answer(hub.subject())
    of = hub.answer(hub.subject(), use_network="no")
    hub.answer(hub.subject())
    return of


def failing(data: bytes, keys=KEYS) -> dict[str, str]:
    return {each.name: each.why for each in check(data, keys).checks if not each.holds}


def test_a_receipt_holds_with_the_keys_alone(hub, given_receipt) -> None:
    of = given_receipt
    early = document(hub, of)
    assert early["log"]["size"] == of.tree_size, "no published head yet: one of the moment itself"
    head = sign_head(hub.session, pen().head, NETWORK, NOW)
    made = document(hub, of)
    assert (made["log"]["size"], made["log"]["root"]) == (head.size, head.root)
    for each in (early, made):
        found = check(as_file(each), KEYS)
        assert found.holds, found.checks
        assert [one.name for one in found.checks] == [
            "signature",
            "head",
            "answers",
            "inclusion",
            "texts",
        ]
        assert check(each["signature"].encode(), KEYS).holds
    assert made["profile"] == PROFILE
    assert receipts.document_sha256(early) == receipts.document_sha256(made)
    assert receipts.is_latest(hub.session, of)


def test_what_a_receipt_says_and_does_not_say(hub, given_receipt) -> None:
    of = given_receipt
    made = document(hub, of)
    answers = {one["item"]: one["answer"] for one in made["said"]}
    assert answers["use.network"] == "refused"
    assert set(answers.values()) == {"granted", "refused"}
    assert made["controller"]["name"] == "Zuyderland"
    assert made["withdraw"]["address"] == "https://hub.example/mijn"
    assert (made["jurisdiction"], made["language"], made["actor_role"]) == ("NL", "nl", "self")
    assert made["text"]["id"] == hub.text
    subject = hub.session.get_one(type(hub.subject()), of.subject_id)
    assert subject.handle not in json.dumps(made)
    assert made["subject"] == receipts.subject_reference(subject.id)
    name = receipts.file_name(of.id, "json")
    assert name == f"keuzes-{of.id[:8].upper()}.json"
    code = receipts.qr_text(made)
    assert code == f"{of.id}#{receipts.document_sha256(made)}"


def test_the_receipt_of_a_stop_needs_no_text(hub) -> None:
    subject = hub.subject()
    first = hub.answer(subject)
    stop = hub.stop(subject, NOW + timedelta(minutes=1))
    everything = hub.stop(subject, NOW + timedelta(minutes=2), study=None)
    for of in (stop, everything):
        made = document(hub, of)
        assert made["text"] is None
        assert check(as_file(made), KEYS).holds
    assert not receipts.is_latest(hub.session, first)
    assert not receipts.is_latest(hub.session, stop)
    assert receipts.is_latest(hub.session, everything)


def test_any_changed_byte_is_found(hub, given_receipt) -> None:
    made = document(hub, given_receipt)
    whole, signed = as_file(made).strip(), made["signature"].encode()

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from([whole, signed]), st.data())
    def found(data: bytes, draw: st.DataObject) -> None:
        at = draw.draw(st.integers(0, len(data) - 1))
        other = draw.draw(st.integers(0, 255).filter(lambda byte: byte != data[at]))
        edge = at in (0, len(data) - 1)
        if edge and bytes([other]).isspace():
            return
        spoilt = data[:at] + bytes([other]) + data[at + 1 :]
        assert not check(spoilt, KEYS).holds
        assert not check(data[:at] + data[at + 1 :], KEYS).holds

    found()


def test_each_part_is_looked_at_by_itself(hub, given_receipt) -> None:
    made = document(hub, given_receipt)
    del made["signature"]

    def resigned(**changes) -> dict[str, str]:
        """What a hub that lies would sign: the signature over the document always fits."""
        return failing(as_file(receipts.signed_document({**made, **changes}, pen())))

    assert resigned() == {}
    no_yes = [{**one, "answer": "granted"} for one in made["said"]]
    assert resigned(said=no_yes) == {"answers": "answer_changed"}
    moved = [{**one, "number": one["number"] + 1} for one in made["said"]]
    assert resigned(said=moved) == {"inclusion": "not_in_the_log"}
    unsaid = [{"erased": None, **{k: one[k] for k in ("number", "leaf", "path")}} for one in no_yes]
    assert resigned(said=unsaid) == {"answers": "content_missing"}
    words = json.loads(json.dumps(made["text"]))
    words["content"]["nl"]["title"] += "!"
    assert resigned(text=words) == {"texts": "text_changed"}
    assert resigned(text=None) == {"texts": "text_missing"}
    assert resigned(log={**made["log"], "size": 10**6})["head"] == "head_changed"
    assert resigned(receipt="another") == {"answers": "answer_changed"}
    assert resigned(version=3) == {"signature": "other_version"}
    assert resigned(said=[]) == {"answers": "content_missing"}
    assert failing(b"{}") == failing(b"no") == failing(b"") == {"form": "not_a_receipt"}


def test_only_keys_of_the_hub_in_their_time(hub, given_receipt) -> None:
    data = as_file(document(hub, given_receipt))
    stranger = (PublishedKey(OTHER.kid, OTHER.public, NOW - timedelta(days=1)),)
    assert failing(data, stranger) == {"signature": "unknown_key", "head": "unknown_key"}
    over = (
        PublishedKey(KEY.kid, KEY.public, NOW - timedelta(days=9), NOW - timedelta(days=8)),
        *stranger,
    )
    assert failing(data, over)["signature"] == "key_not_in_use"
    early = (PublishedKey(KEY.kid, KEY.public, NOW + timedelta(days=1)),)
    assert failing(data, early)["signature"] == "key_not_in_use"


def test_the_command_needs_only_the_file_and_the_keys(
    hub, given_receipt, tmp_path, monkeypatch
) -> None:
    monkeypatch.delenv("ONCOKRING_DATA", raising=False)
    file, keys = tmp_path / "keuzes.json", tmp_path / "keys.json"
    data = as_file(document(hub, given_receipt))
    file.write_bytes(data)
    keys.write_text(json.dumps(hub_keys.keys_document(KEYS)))
    run = CliRunner().invoke
    good = run(receipt_command, ["verify", str(file), "--keys", str(keys)])
    assert good.exit_code == 0, good.output
    assert "The receipt holds." in good.output
    assert "Count in the network: no" in good.output
    file.write_bytes(data.replace(b'"answer": "refused"', b'"answer": "granted"'))
    bad = run(receipt_command, ["verify", str(file), "--keys", str(keys)])
    assert bad.exit_code == 1
    assert "DOES NOT HOLD" in bad.output
    assert run(receipt_command, ["verify", str(file)]).exit_code == 1
    keys.write_text("{}")
    no_keys = run(receipt_command, ["verify", str(file), "--keys", str(keys)])
    assert (no_keys.exit_code, "not a file with public keys" in no_keys.output) == (1, True)


def test_the_hub_remembers_each_key_it_had(tmp_path) -> None:
    settings_ = Settings(
        secret_key="x" * 40, data=tmp_path, database_url=f"sqlite:///{tmp_path / 'hub.sqlite'}"
    )
    later = datetime.now(UTC) + timedelta(days=1)
    (first,) = hub_keys.published_keys(settings_, later)
    assert hub_keys.published_keys(settings_, later) == (first,)
    assert first.kid == hub_keys.hub_key(settings_).kid
    (tmp_path / "keys" / hub_keys.KEY_FILE).unlink()
    old, new = hub_keys.published_keys(settings_, later + timedelta(days=1))
    assert (old.kid, old.until) == (first.kid, later + timedelta(days=1)) or old.until is not None
    assert (new.until, new.kid) == (None, hub_keys.hub_key(settings_).kid)
    (tmp_path / "keys" / hub_keys.HISTORY_FILE).write_text("{}")
    with pytest.raises(ValueError, match="cannot be read"):
        hub_keys.published_keys(settings_, later)


def test_the_record_of_ts_27560(hub, given_receipt) -> None:
    record = dpv_record(document(hub, given_receipt), "https://hub.example")
    assert record["@type"] == "dpv:ConsentReceipt"
    assert record["dct:conformsTo"] == PROFILE
    assert record["dpv:hasConsentControl"]["@type"] == "dpv:WithdrawConsent"
    states = {event["dpv:hasConsentStatus"] for event in record["dct:hasPart"]}
    assert states == {"dpv:ConsentGiven", "dpv:ConsentRefused"}
    valid = {event["dct:valid"] for event in record["dct:hasPart"]}
    assert valid == {"2031-11-22", None}
    for process in record["dpv:hasProcess"]:
        assert process["dpv:hasLegalBasis"] == "eu-gdpr:A9-2-a"
        assert process["dct:title"]
    assert record["dpv:hasNotice"]["dct:source"].endswith(hub.text)
