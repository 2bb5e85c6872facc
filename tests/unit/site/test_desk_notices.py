"""The desk's pages about notices: who has none yet, and somebody who calls about one."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from desk_visitor import desk
from notice_ward import notice_of, staffed

from federation.site.desk.layout import WORDS
from federation.site.desk.notices_texts import NOTICE_TEXTS
from federation.site.store import open_store

SAY = WORDS["nl"]


def test_somebody_calls_and_the_yes_stops(make_site: Any) -> None:
    ward = staffed(make_site)
    with desk(ward.site.path) as anna:
        assert SAY["notices.none"] in anna.get("notices")[2]
    ward.take(ward.act("P1"), ward.act("P2"))
    first, second = str(notice_of(ward, "P1")), str(notice_of(ward, "P2"))
    with desk(ward.site.path) as anna:
        assert f'href="/{anna.server.word}/notices' in anna.get("start")[2]
        page = anna.get("notices")[2]
        for said in ("P1", "P2", SAY["notices.state.ready"], SAY["party.self"]):
            assert said in page
        # Not what it was about: others may look along.
        assert "onco" not in page.split("<main")[1].replace("oncokring", "")

        # Every mistake has words, in both languages, and nothing is written.
        for lang, tail in (("nl", ""), ("en", "?lang=en")):
            say = WORDS[lang]
            page = anna.post(f"notices/call{tail}", {"notice": "one"})[2]
            for key in ("error.notices.number", "error.notices.what"):
                assert say[key] in page, key
            unknown = {"notice": "999", "about": "wrong"}
            assert say["error.notice_unknown"] in anna.post(f"notices/call{tail}", unknown)[2]
            early = {"notice": first, "about": "again"}
            page = anna.post(f"notices/call/record{tail}", early)[2]
            assert say["error.notice_waits"] in page
        assert ward.counts("P1")

        wrong = {"notice": first, "about": "wrong"}
        page = anna.post("notices/call", wrong)[2]
        assert SAY["notices.then.wrong"] in page
        assert "P1" in page
        assert ward.counts("P1")  # only when it is recorded
        page = anna.follow(anna.post("notices/call/record", wrong))
        assert SAY["notices.done.wrong"] in page
        assert not ward.counts("P1")

        told = {"notice": second, "about": "told"}
        assert SAY["notices.done.told"] in anna.follow(anna.post("notices/call/record", told))
        assert SAY["error.notice_told"] in anna.post("notices/call/record", told)[2]
        again = {"notice": second, "about": "again"}
        assert "P2" in anna.follow(anna.post("notices/call/record", again))
    with closing(open_store(ward.site.database)) as database:
        names = database.execute("SELECT DISTINCT wrong_by FROM notice WHERE wrong_by IS NOT NULL")
        assert names.fetchall() == [("Anna de Vries",)]


def test_both_languages_say_the_same() -> None:
    assert NOTICE_TEXTS["nl"].keys() == NOTICE_TEXTS["en"].keys()
