"""The printed letter: words, square code, and that it tells nothing and loads nothing."""

import builtins
import re
import zlib
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from consent.reading_level import too_hard
from federation.site.desk.letter_pdf import TEXTS, Sender, letter_html, letter_pdf, read_sender
from federation.site.desk.letters import Letter
from federation.site.errors import SetupError

SENDER = Sender("https://keuze.example/mijn", "085 123 45 67", "Ziekenhuis 'Nul' & <co>")
ABOUT_ILLNESS = re.compile(r"kanker|cancer|tumou?r|onco|chemo|diagnos", re.IGNORECASE)


def letter(**more):
    given = {
        "code_id": "ABC123",
        "printed": "ABC123-0000-1111-2222-3333",
        "digits": "123456",
        "language": "nl",
        "party": "self",
        "role": "self",
        "expires": datetime(2027, 2, 20, 9, tzinfo=UTC),
    }
    return Letter(**{**given, **more})


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def read(html):
    seen = Seen()
    seen.feed(html)
    return seen


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("party", ["self", "p-0123456789abcdef"])
def test_the_letter_holds_what_is_needed_and_nothing_else(language, party):
    html = letter_html(letter(language=language, party=party), SENDER)
    seen = read(html)
    words = " ".join(seen.words)
    assert f'lang="{language}"' in html
    for wanted in ("ABC123-0000-1111-2222-3333", "keuze.example/mijn", "085 123 45 67", "2027"):
        assert wanted in words
    assert "Ziekenhuis 'Nul' & <co>" in words
    assert "123456" not in html  # the digits go another way
    assert not ABOUT_ILLNESS.search(words)
    assert party == "self" or party not in html
    # Nothing is loaded and nothing runs.
    assert not {"script", "link", "img", "iframe", "object"} & set(seen.tags)
    assert not {"src", "href"} & {name for name, _ in seen.attributes}
    assert "svg" in seen.tags
    asks = letter_html(letter(language=language, party=party, digits=""), SENDER)
    assert TEXTS[language]["step_digits"] not in asks
    assert TEXTS[language]["step_digits"] in html


def test_the_words_are_plain_and_the_same_in_both_languages():
    given = {
        "sender": "Het ziekenhuis",
        "address": "het adres",
        "date": "2 mei",
        "phone": "085",
    }
    assert too_hard([text.format(**given) for text in TEXTS["nl"].values()]) == []
    assert TEXTS["nl"].keys() == TEXTS["en"].keys()
    for key, text in TEXTS["nl"].items():
        assert re.findall(r"\{\w+\}", text) == re.findall(r"\{\w+\}", TEXTS["en"][key])


def test_the_square_holds_address_and_code_behind_a_sign_that_no_server_sees(monkeypatch):
    import qrcode

    held = []
    monkeypatch.setattr(
        qrcode.QRCode, "add_data", lambda self, data, *_: held.append(data), raising=True
    )
    monkeypatch.setattr(qrcode.QRCode, "get_matrix", lambda self: [[True, False], [False, True]])
    html = letter_html(letter(), SENDER)
    assert held == ["https://keuze.example/mijn#ABC123-0000-1111-2222-3333"]
    assert 'd="M0 0h1v1h-1zM1 1h1v1h-1z"' in html


def test_a_tagged_pdf_of_one_page_or_the_page_itself(monkeypatch):
    html = letter_html(letter(), SENDER)
    made = letter_pdf(html)
    assert made is not None
    assert made.startswith(b"%PDF")
    parts = [
        zlib.decompress(each)
        for each in re.findall(rb"stream\n(x\xda.*?)\nendstream", made, re.DOTALL)
    ]
    whole = made + b"".join(parts)
    assert b"/StructTreeRoot" in whole
    assert len(re.findall(rb"/Type\s*/Page\b", whole)) == 1
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name.partition(".")[0] in ("weasyprint", "qrcode"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert letter_pdf(html) is None
    assert "<svg" not in letter_html(letter(), SENDER)
    assert "ABC123-0000" in letter_html(letter(), SENDER)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("", {}),
        ('address = "https://a.example"', {}),
        ('address = "http://a.example"\nphone = "1"', {}),
        ('address = "https://a.example#x"\nphone = "1"', {}),
        ('address = "https://a.example"\nphone = "1"\nlogo = "x"', {}),
        ('address = "https://a.example"\nphone = 1', {}),
        ("address = ", {}),
        ("", {"address": "https://a.example", "phone": "1\n2"}),
    ],
)
def test_a_sender_that_is_not_right_is_a_sentence(tmp_path, text, given):
    (tmp_path / "letter.toml").write_text(text)
    with pytest.raises(SetupError, match=r"letter\.toml"):
        read_sender(tmp_path, "Nul", **given)


def test_what_is_given_replaces_the_file(tmp_path):
    (tmp_path / "letter.toml").write_text('address = "https://a.example"\nphone = "1"\n')
    found = read_sender(tmp_path, "Nul", phone="2", address=None)
    assert found == Sender("https://a.example", "2", "Nul")
