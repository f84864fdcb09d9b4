"""The console in a real browser, over a stack on this machine: tasks of a support agent, an operator, a data person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from aftersend.core.rates import compute_interval
from tests.support.browser import Site, Visitor, lack, open_site

CROWD: Final = 300  # outcomes beside those that tell a story; the benchmark has ten thousand
pytestmark = [pytest.mark.browser, pytest.mark.skipif(lack() is not None, reason=str(lack()))]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(CROWD) as made:
        yield made


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    with site.visit() as made:
        yield made


def hard_bounce(site: Site, name: str) -> str:
    """Somebody of their own for a test that changes what is stored."""
    who = f"{name}@example.org"
    site.ask("PUT", f"/suppressions/{who}", {"note": "Asked us by telephone."})
    return who


# ---- A support agent ------------------------------------------------------------------------------------------------


def test_why_somebody_gets_no_mail_is_one_step_and_two_requests_at_most(visitor: Visitor) -> None:
    visitor.open()
    begin = visitor.steps
    visitor.look_up("Old.Account@Example.net")
    visitor.see("there is no such mailbox")
    assert visitor.headline.endswith("No mail is sent to old.account@example.net.")
    quote = visitor.page.locator("blockquote").first.inner_text()
    assert quote.startswith("550 5.1.1 <old.account@example.net>: Recipient address rejected")
    assert "May it be lifted? Lift it only if you know" in visitor.page.locator("article").first.inner_text()
    assert (visitor.steps - begin, len(visitor.asked) <= 2) == (1, True)


def test_it_is_lifted_with_a_note_in_two_steps_more(visitor: Visitor, site: Site) -> None:
    who = "person.lifted@example.org"
    site.ask("PUT", f"/suppressions/{who}", {"note": "Asked us by telephone."})
    visitor.open()
    visitor.look_up(who)
    visitor.see("Asked us by telephone.")
    begin = visitor.steps
    visitor.press("Lift…")
    visitor.page.get_by_label("Why does it no longer hold?").fill("They called again.")
    visitor.press("Lift it", "dialog")
    visitor.see("That is stored.")
    assert visitor.headline.endswith(f"Mail is sent to {who}.")
    assert visitor.steps - begin == 2
    assert site.ask("GET", f"/suppressions/{who}")["note"] == "They called again."


def test_without_a_note_nothing_is_lifted_and_the_field_says_why(visitor: Visitor) -> None:
    visitor.open("#/address/annoyed@example.com")
    visitor.press("Lift against the complaint…")
    before = len(visitor.asked)
    visitor.press("Lift it", "dialog")
    field = visitor.page.get_by_label("How did they ask for it?")
    visitor.see("Write a note")
    assert field.get_attribute("aria-invalid") == "true"
    described = str(field.get_attribute("aria-describedby")).split()
    assert any("Write a note" in visitor.page.locator(f"#{each}").inner_text() for each in described)
    assert "Without this it is not lifted." in visitor.page.locator("dialog").inner_text()
    assert len(visitor.asked) == before


def test_a_complaint_is_lifted_with_force_and_a_stream_that_was_left_by_consent(visitor: Visitor, site: Site) -> None:
    visitor.open("#/address/reader@example.com")
    assert "“news” mail is sent to reader@example.com" in visitor.headline
    visitor.press("They joined again…")
    visitor.page.get_by_label("How and when did they join again?").fill("Form on our page, today.")
    visitor.page.get_by_label("They joined again themselves").check()
    visitor.press("Lift it", "dialog")
    visitor.see("That is stored.")
    assert site.ask("GET", "/suppressions/reader@example.com?scope=news")["suppressed"] is False


def test_what_became_of_a_message_to_somebody_is_one_step(visitor: Visitor) -> None:
    visitor.open()
    begin = visitor.steps
    visitor.look_up("ses:0102-b2 old.account@example.net")
    visitor.see("nothing will be tried again.")
    assert visitor.page.locator(".timeline .decides").inner_text().startswith("2")
    assert (visitor.steps - begin, len(visitor.asked)) == (1, 1)


def test_an_id_without_its_beginning_and_all_recipients_of_a_message(visitor: Visitor) -> None:
    visitor.open()
    visitor.look_up("0102-b2")
    visitor.see("25 shown, there are more")
    visitor.press("Load more")
    visitor.page.get_by_label("Only", exact=True).select_option("complained")
    visitor.see("annoyed@example.com")
    assert visitor.page.locator(".item").count() == 1
    assert "status=complained" in visitor.page.url


def test_somebody_who_wants_no_more_mail_is_three_steps(visitor: Visitor, site: Site) -> None:
    who = "no.more@example.org"
    visitor.open()
    begin = visitor.steps
    visitor.look_up(who)
    visitor.press("Suppress by hand…")
    visitor.page.get_by_label("Why?").fill("Wrote to us.")
    visitor.page.get_by_label("Only this stream").fill("news")
    visitor.page.get_by_label("Until").fill("2030-06-21T02:00")
    visitor.press("Suppress", "dialog")
    visitor.see("That is stored.")
    assert visitor.steps - begin == 3
    stored = site.ask("GET", f"/suppressions/{who}?scope=news")
    assert (stored["suppressed"], stored["until"]) == (True, "2030-06-21T00:00:00Z")  # Berlin's summer time


def test_somebody_who_wants_to_be_forgotten_is_three_steps_and_leaves_no_trace(visitor: Visitor, site: Site) -> None:
    who = hard_bounce(site, "forgotten")
    visitor.open()
    begin = visitor.steps
    visitor.look_up(who)
    visitor.press("Forget this person…")
    visitor.page.get_by_label("to confirm").fill("somebody@else.example")
    visitor.press("Forget them", "dialog")
    visitor.see("That is another address.")
    visitor.page.get_by_label("to confirm").fill(who)
    visitor.press("Forget them", "dialog")
    visitor.see("They are forgotten")
    assert visitor.steps - begin == 4  # one of them a slip
    assert who not in visitor.page.url
    assert who not in visitor.page.content()
    visitor.look_up(who)
    visitor.see("asked to be forgotten")
    assert "erased:" not in visitor.page.content()


def test_what_a_colleague_decided_meanwhile_is_shown_and_the_note_stays(visitor: Visitor, site: Site) -> None:
    who = hard_bounce(site, "raced")
    visitor.open(f"#/address/{who}")
    visitor.press("Lift…")
    note = visitor.page.get_by_label("Why does it no longer hold?")
    note.fill("They called again.")
    site.ask("PUT", f"/suppressions/{who}", {"note": "And again, really not."})
    visitor.press("Lift it", "dialog")
    visitor.see("you has suppressed by hand meanwhile")
    assert note.input_value() == "They called again."
    assert "And again, really not." in visitor.page.locator("dialog").inner_text()
    visitor.press("Lift it", "dialog")
    visitor.see("That is stored.")


# ---- What is not known, and what is not believed --------------------------------------------------------------------


@pytest.mark.parametrize("answer", [503, 500, None])
def test_no_answer_never_reads_as_may_be_written_to(visitor: Visitor, answer: int | None) -> None:
    def refuse(route: Any) -> None:
        if answer is None:
            route.abort()
        else:
            route.fulfill(status=answer, content_type="application/problem+json", body="{}")

    visitor.page.route("**/recipients/**", refuse)
    visitor.open("#/address/old.account@example.net")
    visitor.see("Do not conclude that mail may be sent.")
    assert "ail is sent" not in visitor.page.locator("main").inner_text()
    visitor.faults = [each for each in visitor.faults if "net::ERR_FAILED" not in each]


def test_who_is_unknown_and_what_is_no_address(visitor: Visitor) -> None:
    visitor.open("#/address/nobody.at.all@example.org")
    assert "Nothing is known of nobody.at.all@example.org" in visitor.headline
    visitor.look_up("ann@")
    visitor.see("is nobody's address")
    visitor.look_up("anoyed@example.com")
    visitor.see("Did you mean")
    visitor.press("annoyed@example.com", "article")
    visitor.see("as spam on")


def test_the_words_of_a_stranger_are_text_and_name_nobody_else(visitor: Visitor) -> None:
    visitor.open("#/address/hostile@example.org")
    visitor.see("<img src=x onerror=document.title='taken'> ⟨U+202E⟩uoy rof⟨U+202C⟩ forwarded to x…@elsewhere.example")
    content = visitor.page.content()
    assert "secret.person" not in content
    assert "list-owner" not in content
    assert (visitor.page.locator("main img").count(), visitor.page.title()) == (0, "Address \u2013 Aftersend")
    masked = visitor.run(
        "safe.js",
        "({ maskOthers }, text) => maskOthers(text, 'email:ann@example.com')",
        "<Ann@example.com> to bob+x@list.example, b=ann=example.com@v.example",
    )
    assert masked == "<Ann@example.com> to b…@list.example, b…@v.example"


def test_a_moment_has_the_offset_that_held_then(site: Site) -> None:
    with site.visit(timezone_id="America/New_York") as visitor:
        visitor.open()
        written = visitor.run(
            "time.js",
            "({ writeMoment }, moments) => moments.map((each) => writeMoment(each))",
            ["2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"],
        )
    assert written == ["8 Mar 2026, 01:30 (UTC\u22125)", "8 Mar 2026, 03:30 (UTC\u22124)"]


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [(1, 20, 0.9, 23.6), (25, 500, 3.4, 7.3), (500, 10_000, 4.6, 5.4), (0, 1000, 0.0, 0.38)],
)
def test_the_interval_of_a_rate_is_that_of_the_api(
    visitor: Visitor, numerator: int, denominator: int, low: float, high: float
) -> None:
    visitor.open()
    found = visitor.run(
        "rates.js", "({ findInterval }, [part, whole]) => findInterval(part, whole)", [numerator, denominator]
    )
    assert found == pytest.approx(compute_interval(numerator, denominator), abs=1e-12)
    assert [round(100 * each, 1 if high > 1 else 2) for each in found] == [low, high]


# ---- An operator ----------------------------------------------------------------------------------------------------


def test_an_accident_of_a_provider_is_taken_back_in_four_steps(visitor: Visitor, site: Site) -> None:
    visitor.open("#/review")
    visitor.see("60 of 60 refused: no such mailbox")
    visitor.press("It was theirs: take back…")
    visitor.page.get_by_label("How do you know?").fill("They have told us.")
    visitor.press("Take it back", "dialog")
    visitor.see("taken back")
    visitor.press("take that back, too")
    visitor.see("Take back what one provider said in a window of time")
    assert visitor.steps == 4
    assert visitor.page.get_by_label("Domain").input_value() == "accident.example"
    visitor.page.get_by_label("Until, in").fill("2030-01-01T00:00")
    (incident,) = site.ask("GET", "/incidents")["incidents"]
    assert (incident["state"], incident["note"]) == ("reverted", "They have told us.")


def test_refusals_in_the_same_words_are_decided_together_in_two_steps(visitor: Visitor, site: Site) -> None:
    visitor.open("#/review")
    visitor.see("6 \u00d7 at example.org")
    begin = visitor.steps
    visitor.press("Suppress…")
    visitor.page.get_by_label("Note").fill("Their word for unknown.")
    # A colleague looks at one of them first.
    listed = site.ask("GET", "/review?why=undetermined")["outcomes"]
    third = listed[2]
    body = {"recipient": third["recipient"], "message": third["message"], "decision": "keep", "note": "Mine."}
    site.ask("POST", "/review/outcomes", body)
    visitor.press("Suppress them", "dialog")
    visitor.see("was changed by somebody else meanwhile")
    visitor.see("of 6 are decided.")
    visitor.press("Go on with the others", "dialog")
    visitor.page.locator("dialog").wait_for(state="detached")
    assert visitor.steps - begin == 3  # one of them for what the colleague did
    assert site.ask("GET", "/review?why=undetermined").get("outcomes", []) == []
    assert site.ask("GET", f"/suppressions/{listed[0]['recipient']}")["suppressed"] is True


def test_what_went_wrong_where_and_whose_it_is_is_two_steps(visitor: Visitor) -> None:
    visitor.open("#/problems")
    visitor.page.get_by_text("accident.example").first.wait_for()
    first = visitor.page.locator(".item summary").first.inner_text()
    assert re.search(r"6\d.*such as accident.example.*refused for good.*no such mailbox.*the address", first, re.DOTALL)
    visitor.page.locator(".item summary").first.click()
    visitor.press("Look at one")
    visitor.see("nothing will be tried again.")
    assert visitor.steps == 2
    visitor.page.go_back()
    visitor.page.get_by_label("Reason").select_option("mailbox_full")
    visitor.page.get_by_label("Show", exact=True).select_option("rows")
    visitor.see("full.box@example.org")
    assert "reason=mailbox_full&view=rows" in visitor.page.url


def test_numbers_are_one_step_and_each_chart_has_a_table(visitor: Visitor) -> None:
    visitor.open("#/numbers")
    visitor.page.locator(".chart").first.wait_for()
    assert visitor.steps == 1
    label = str(visitor.page.locator(".chart").first.get_attribute("aria-label"))
    assert re.match(r"All: \d+\.\d % of [\d,]+", label)
    visitor.page.get_by_text("As a table").first.click()
    assert visitor.page.locator(".multiple").first.get_by_role("row").count() > 2
    with visitor.page.expect_download() as download:
        visitor.press("Download, as CSV")
    assert download.value.path().read_bytes().startswith(b"day,system,")


def test_an_unreadable_body_is_looked_at_and_sent_back_in_three_steps(visitor: Visitor, site: Site) -> None:
    site.park("ses", "no field eventType")
    visitor.open("#/operations")
    visitor.see("1 message lies where nobody works it")
    visitor.press("Look", ".item")
    visitor.see("no field eventType")
    visitor.press("Send all back to work…")
    visitor.press("Send back", "dialog")
    visitor.page.locator("dialog").wait_for(state="detached")
    assert visitor.steps == 4


def test_alarms_that_ring_and_when_each_source_was_last_heard_of(visitor: Visitor, site: Site) -> None:
    watch = site.made.stack.client("cloudwatch")
    name = watch.describe_alarms()["MetricAlarms"][0]["AlarmName"]
    visitor.open("#/operations")
    visitor.see("of them have had nothing to judge by.")
    visitor.see("Last heard of, by source")
    assert re.search(r"Amazon SES\s+\S[^\n]* \(", visitor.page.get_by_role("table", name="Last heard of").inner_text())
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    try:
        visitor.page.reload()
        visitor.see("1 alarm rings.")
        assert name.split("-")[2] in visitor.page.get_by_role("table", name="Alarms").inner_text()
    finally:
        watch.set_alarm_state(AlarmName=name, StateValue="INSUFFICIENT_DATA", StateReason="test")


# ---- A data person --------------------------------------------------------------------------------------------------


def test_which_of_a_list_may_be_written_to_is_two_steps(visitor: Visitor) -> None:
    visitor.open()
    begin = visitor.steps
    visitor.look_up("old.account@example.net, team01@example.net; annoyed@example.com")
    visitor.see("1 may be written to, 2 may not")
    with visitor.page.expect_download() as download:
        visitor.press("Download those that may, as CSV")
    assert download.value.path().read_bytes() == b"recipient\r\nteam01@example.net\r\n"
    assert (visitor.steps - begin, visitor.asked) == (2, ["POST /suppressions/check"])


def test_a_list_is_tried_before_it_is_imported(visitor: Visitor, site: Site) -> None:
    visitor.open("#/lists/import")
    rows = b"emailaddress,reason,lastupdatetime\n" + b"".join(
        b"imported%d@example.org,BOUNCE,2026-03-01T00:00:00Z\n" % number for number in range(3)
    )
    choose = visitor.page.get_by_label("Choose a file")
    choose.set_input_files({"name": "list.csv", "mimeType": "text/csv", "buffer": rows + b"nobody,BOUNCE,x\n"})
    visitor.steps += 1
    visitor.press("Try it (nothing is written)")
    visitor.see("This is what would change. Nothing is written yet.")
    assert re.search(r"4 rows\s+3 new\s+1 cannot be read", visitor.page.locator("article").inner_text())
    visitor.press("Import 3")
    visitor.see("This was imported.")
    assert visitor.steps == 4
    assert site.ask("GET", "/suppressions/imported0@example.org")["suppressed"] is True
    visitor.go("#/lists/export", "text=Take our list along")
    visitor.press("Export", "form.stack")
    visitor.see("rows are written.")
    assert "http" in str(visitor.page.get_by_role("link", name="Download").get_attribute("href"))


def test_an_empty_page_of_a_list_is_not_its_end(visitor: Visitor, site: Site) -> None:
    row = site.ask("GET", "/suppressions/annoyed@example.com")
    pages = [{"suppressions": [], "next": "more"}, {"suppressions": [], "next": "more"}, {"suppressions": [row]}]
    visitor.page.route(re.compile(r"/suppressions\?"), lambda route: route.fulfill(json=pages.pop(0)))
    visitor.open("#/lists/new?cause=complaint")
    visitor.see("1 are shown")
    assert pages == []


# ---- By keyboard, and without barriers ------------------------------------------------------------------------------


def test_why_is_answered_and_lifted_by_the_keyboard_alone(visitor: Visitor, site: Site) -> None:
    who = hard_bounce(site, "keys")
    keyboard = visitor.open().page.keyboard
    keyboard.type(who)
    keyboard.press("Enter")
    visitor.see("Asked us by telephone.")
    status = visitor.page.get_by_role("status").first
    assert who in status.inner_text()
    reach(visitor, "Lift…")
    keyboard.press("Enter")
    visitor.page.locator("dialog textarea").wait_for()
    keyboard.press("Escape")
    assert focused(visitor) == "Lift…"
    keyboard.press("Enter")
    visitor.page.locator("dialog textarea").wait_for()
    keyboard.type("They called again.")
    reach(visitor, "Lift it")
    keyboard.press("Enter")
    visitor.see("That is stored.")


def reach(visitor: Visitor, name: str) -> None:
    for _ in range(30):
        if focused(visitor) == name:
            return
        visitor.page.keyboard.press("Tab")
    raise AssertionError(f"no key leads to {name}")


def focused(visitor: Visitor) -> str:
    return str(visitor.page.evaluate("document.activeElement.innerText"))


def test_keys_lead_everywhere_decide_nothing_and_can_be_turned_off(visitor: Visitor) -> None:
    keyboard = visitor.open("#/review").page.keyboard
    visitor.see("What should a person look at?")
    keyboard.press("u")
    visitor.see("Times: UTC")
    keyboard.press("/")
    keyboard.type("ug")  # in a field, a letter is a letter
    assert visitor.page.get_by_role("search").get_by_role("textbox").input_value() == "ug"
    visitor.page.locator("h1").first.click()
    keyboard.press("g")
    keyboard.press("l")
    visitor.see("Which of these may I write to?")
    visitor.page.locator("h2").first.click()
    keyboard.press("?")
    visitor.press("Turn keys off", "dialog")
    visitor.press("Close", "dialog")
    keyboard.press("u")
    visitor.see("Times: UTC")


PLACES: Final = {
    "#/problems": ".items",
    "#/numbers": ".chart",
    "#/operations": ".facts-list",
    "#/lists/jobs": ".table, .empty",
    "#/address": "text=The answer is one sentence",
    "#/address/old.account@example.net": "text=there is no such mailbox",
    "#/address/nobody.at.all@example.org": "text=Nothing is known of",
    "#/message/ses:0102-b2?to=annoyed@example.com": ".timeline",
    "#/review": "text=Checked",
    "#/lists/check": "textarea",
    "#/lists/import": ".drop",
    "#/lists/export": "text=Take our list along",
    "#/lists/revert?domain=accident.example": "text=Take back what",
    "#/lists/new": ".table",
}


def test_axe_finds_nothing_on_any_page_in_any_scheme_at_any_width(site: Site) -> None:
    found: dict[str, list[str]] = {}
    with site.visit() as visitor:
        visitor.open()
        for place, wait in PLACES.items():
            visitor.go(place, wait if place != "#/review" else ".item, .empty")
            # Wide and light, narrow and dark: each scheme and each width once.
            for scheme, width in (("light", 1100), ("dark", 320)):
                visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                visitor.page.set_viewport_size({"width": width, "height": 900})
                found[f"{place} {scheme} {width}"] = visitor.find_barriers()
                assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width, place
        visitor.page.set_viewport_size({"width": 1100, "height": 900})
        visitor.go("#/address/annoyed@example.com", "text=as spam on")
        visitor.press("Lift against the complaint…")
        found["dialog"] = visitor.find_barriers()
    assert {place: barriers for place, barriers in found.items() if barriers} == {}
