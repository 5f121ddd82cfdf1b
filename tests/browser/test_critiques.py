"""Critiques at the annotation screen: suggestions reviewed, spans made, by keyboard alone and by mouse."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.critic import (
    ASKED,
    QUOTES,
    SKY,
    ask,
    box_of,
    cards,
    click_on,
    critiques_of,
    drag_over,
    drawn,
    focus,
    in_hand,
    in_place,
    keys,
    of_people,
    reviewing,
    row,
    sit_down,
    state,
    submit,
    write,
)
from tests.cast import Cast


def span(quote: str, left: int = 0, right: int = 0) -> tuple[int, int]:
    start = SKY.index(quote)
    return start + left, start + len(quote) + right


def test_ten_suggestions_are_reviewed_without_the_mouse(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "n", "a", "a", "x")
    write(page, " indeed")
    keys(page, "n", "2", "Shift+Digit1", "n", "+", "n", "[", "[", "{", "}", "n", "{", "n")
    keys(page, "n", "p", "a", "Shift+A", "Control+z", "Control+Shift+Z", "Escape")
    assert focus(page) == "body"
    keys(page, "c", "Control+ArrowRight", "Control+ArrowRight", "Shift+Control+ArrowRight", "Shift+ArrowRight")
    keys(page, "2", "-", "Shift+Digit2")
    write(page, "Vague.")
    keys(page, "Escape", "i", "1", "Shift+Digit1", "-")
    submit(page)
    [made] = of_people()
    found = critiques_of(made)
    in_place(found)
    assert made.help == "shown" and len(found) == 12
    missing = found.pop(0) if found[0].start is None else found.pop()
    assert (missing.omission, missing.type, missing.severity, missing.polarity) == (True, "factual", "minor", -1)
    own = next(one for one in found if not one.derived_from_id)
    assert (own.quote, own.type, own.severity, own.polarity) == ("sky", "style", "major", -1)
    assert own.comment == "Vague." and own.review == "" and own.review_ms is None and own.edit_distance is None
    rest = [one for one in found if one.derived_from_id]
    reviews = ["accepted", "accepted", "rejected"] + ["edited"] * 5 + ["accepted"] * 2
    assert [one.review for one in rest] == reviews
    moved = {6: (-1, -1), 7: (1, 0)}
    wanted = [span(quote, *moved.get(n, (0, 0))) for n, quote in enumerate(QUOTES)]
    assert [(one.start, one.end) for one in rest] == wanted
    assert [one.derived_from.quote for one in rest] == QUOTES  # type: ignore[union-attr]
    assert [one.edit_distance for one in rest] == [0, 0, 0, 7, 0, 0, 0, 0, 0, 0]
    assert (rest[3].comment, rest[4].type, rest[4].severity, rest[5].polarity) == (
        f"Of {QUOTES[3][:9]} indeed", "style", "minor", 1
    )  # fmt: skip
    assert all(one.review_ms is not None and 0 <= one.review_ms < 60_000 for one in rest)


# --- Caret, omissions, whole responses -----------------------------------------------------------------

WORDS = "One two 👩‍👩‍👧 three. Four **five** six. Seven eight."


def on_words(sign_in: Any, crew: Cast, **asked: Any) -> Page:
    ask(crew, "response", row("words", WORDS), critiques=ASKED | asked)
    return sit_down(sign_in(crew.ann), crew)


def test_a_caret_marks_by_character_word_and_sentence(sign_in: Any, crew: Cast) -> None:
    page = on_words(sign_in, crew)
    for moves, quote in [
        (["Shift+ArrowRight"], "O"),
        (["Control+ArrowRight", "Shift+Control+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"], "two 👩‍👩‍👧"),
        (["ArrowDown", "ArrowRight", "Shift+ArrowDown"], "Four **five** six."),
        (["End", "Shift+ArrowUp"], "Seven eight."),
        (["End", "ArrowLeft", "Shift+Home"], WORDS[:-1]),
        (["Shift+End"], WORDS),
        (
            ["Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowDown"],
            WORDS[: WORDS.index(" Four")],
        ),
    ]:
        keys(page, "c", "Home", *moves, "1")
        made = state(page)["critiques"]
        [one] = [each for each in made if each["id"] == in_hand(page)]
        assert (one["quote"], WORDS[one["start"] : one["end"]], one["type"]) == (quote, quote, "factual")
        keys(page, "Delete")
        assert not cards(page)
    keys(page, "c", "Home", "ArrowRight", "Escape", "n")
    assert not cards(page) and page.evaluate("getSelection().isCollapsed")


def test_what_is_missing_at_a_place_or_of_the_whole(sign_in: Any, crew: Cast) -> None:
    page = on_words(sign_in, crew, comment="required")
    keys(page, "c", "Home", "Control+ArrowRight", "Enter", "1", "Shift+Digit2", "-")
    write(page, "One and what?")
    keys(page, "Escape", "w", "3", "Shift+Digit1", ".")
    write(page, "All of it.")
    keys(page, "Escape", "i", "2", "Shift+Digit1", "-")
    page.wait_for_timeout(300)
    keys(page, "Enter")
    assert focus(page).endswith(":comment"), "the required comment is in hand"
    page.keyboard.type("No end.")
    page.keyboard.press("Control+Enter")
    submit_settled(page)
    rows = critiques_of(of_people()[0])
    place, (missing, whole) = rows[-1], sorted(rows[:2], key=lambda one: not one.omission)
    if rows[0].start is not None:
        place, missing, whole = rows[0], *sorted(rows[1:], key=lambda one: not one.omission)
    assert (place.start, place.end, place.quote, place.omission, place.type) == (3, 3, "", True, "factual")
    assert (whole.start, whole.quote, whole.omission, whole.polarity, whole.comment) == (
        None,
        "",
        False,
        0,
        "All of it.",
    )
    assert (missing.start, missing.omission, missing.comment) == (None, True, "No end.")
    assert {whole.unit, missing.unit} == {"response"} and place.unit == "span"


def submit_settled(page: Page) -> None:
    expect(page.get_by_role("heading", name="All done")).to_be_visible()


# --- Undo ---------------------------------------------------------------------------------------------


def test_every_kind_of_action_is_taken_back_and_done_again(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    actions: list[tuple[str, ...]] = [
        ("n", "a"),
        ("x",),
        ("2",),
        ("Shift+Digit1",),
        ("+",),
        ("]", "]", "["),
        ("e", "End", "Space", "o", "k", "Escape"),
        ("Escape", "c", "Home", "Control+ArrowRight", "Shift+Control+ArrowRight", "3"),
        ("Delete",),
        ("w",),
        ("i",),
        ("n", "x"),
        ("v", "Escape", "c", "Home", "v", "Shift+ArrowDown", "Enter"),
        ("Shift+A",),
    ]
    states = [state(page)]
    for action in actions:
        keys(page, *action)
        states.append(state(page))
        assert states[-1] != states[-2], action
    for before in states[-2::-1]:
        keys(page, "Control+z")
        assert state(page) == before
        assert focus(page) == "body" or ":" in focus(page)
    assert all(card.startswith("open") for card in cards(page)) and len(cards(page)) == 10
    for after in states[1:]:
        keys(page, "Control+Shift+Z")
        assert state(page) == after
    keys(page, "Control+Shift+Z")
    expect(page.locator("#said")).to_have_text("There is nothing to do again.")


def test_undo_in_a_field_is_the_fields_own(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "n", "a", "e")
    page.keyboard.type(" more")
    before = state(page)["critiques"][0]["review"]
    keys(page, "Control+z")
    assert state(page)["critiques"][0]["review"] == before and focus(page).endswith(":comment")


# --- Mouse --------------------------------------------------------------------------------------------


def test_selecting_alone_makes_nothing_and_the_bar_makes_it(sign_in: Any, crew: Cast) -> None:
    page = on_words(sign_in, crew)
    bar = page.get_by_role("toolbar", name="Critique the selection")
    drag_over(page, "three")
    expect(bar).to_be_visible()
    keys(page, "Control+c")
    assert state(page) is None and not cards(page)
    click_on(page, "Seven")
    expect(bar).to_be_hidden()
    box = box_of(page, "eight")
    page.mouse.dblclick(box["left"] + 5, box["y"])
    assert page.evaluate("getSelection().toString().trim()") == "eight"
    page.wait_for_timeout(200)
    assert state(page) is None and not cards(page)
    drag_over(page, "three")
    bar.get_by_role("button", name="style").click()
    assert cards(page) == ["own: style, “three”"]
    expect(bar).to_be_hidden()
    [one] = state(page)["critiques"]
    assert WORDS[one["start"] : one["end"]] == "three" == one["quote"]


def test_a_click_on_a_drawn_span_opens_its_card(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    ids = page.locator(".critique").evaluate_all("all => all.map((card) => card.dataset.id)")
    for number, words in [(8, "ocean reflects"), (3, "even more"), (6, "return"), (7, "450"), (1, "white")]:
        click_on(page, words)
        assert in_hand(page) == ids[number], words
        start, end = drawn(page) or (0, 0)
        assert SKY[start:end].strip("*") == QUOTES[number].strip("*")
        expect(page.locator(".critique[aria-current]")).to_be_in_viewport()
    click_on(page, "At sunset")
    expect(page.locator(".critique[aria-current]")).to_have_count(0)


def test_a_click_on_a_card_shows_its_span(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    page.locator(".critique__name").nth(9).click()
    assert drawn(page) == list(span(QUOTES[9]))
    page.get_by_role("button", name="Accept", exact=True).last.click()
    page.get_by_role("button", name="Reject").first.click()
    assert [card[:8] for card in cards(page)] == ["rejected", *["open: Po"] * 8, "accepted"]


def test_rendered_or_as_written_the_spans_are_the_same(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    for quote in QUOTES:
        keys(page, "n")
        start, end = drawn(page) or (0, 0)
        assert SKY[start:end].strip("*") == quote.strip("*"), "all of it but the marks that are not shown"
    keys(page, "Escape", "m")
    expect(page.locator("[data-text] pre.raw")).to_have_text(SKY)
    for quote in QUOTES:
        keys(page, "n")
        assert drawn(page) == list(span(quote)), quote
    drag_over(page, "**white**,")
    keys(page, "1")
    made = next(one for one in state(page)["critiques"] if not one["from"])
    assert (made["start"], made["end"]) == span("**white**,") and made["quote"] == "**white**,"
    keys(page, "m")
    expect(page.locator("[data-text] pre.raw")).to_have_count(0)
    start, end = drawn(page) or (0, 0)
    assert SKY[start:end] in ("white**,", "**white**,")


# --- Focus --------------------------------------------------------------------------------------------


def test_the_keyboard_is_never_lost_among_the_buttons_of_the_margin(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    for name, key in [("Accept", "Enter"), ("Reject", "Space"), ("Edit", "Enter")]:
        card = page.locator(".critique[data-review=open]:not([aria-current])").first
        card.get_by_role("button", name=name, exact=True).focus()
        keys(page, key)
        assert ":" in focus(page), (name, focus(page))
        assert page.evaluate("document.querySelector('.margin').contains(document.activeElement)")
    keys(page, "Escape")
    page.locator(".chip[aria-checked]", has_text="style").first.focus()
    keys(page, "Enter")
    assert focus(page).endswith(":type:style")
    page.get_by_role("button", name="Accept all").focus()
    keys(page, "Enter")
    assert page.evaluate("document.querySelector('.margin').contains(document.activeElement)")


def test_a_tab_goes_from_the_prompt_to_the_texts_to_the_margin_to_submit(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    page.locator("#prompt").focus()
    names = []
    for _ in range(60):
        keys(page, "Tab")
        where = "e => e.closest('.margin, .response__body, #decide')?.classList[0] ?? e.localName"
        names.append(page.evaluate(f"({where})(document.activeElement)"))
        if names[-1] == "decide":
            break
    assert list(dict.fromkeys(names)) == ["response__body", "margin", "decide"]
    expect(page.get_by_role("button", name="Submit")).to_be_focused()


def test_every_card_says_what_it_is_to_those_who_only_hear_it(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    names = page.locator(".critiques").get_by_role("button", name="suggested")
    expect(names).to_have_count(10)
    keys(page, "n")
    expect(page.locator("#live")).to_have_text("Poor · factual · major, “the sky is blue 🌌”, Of the sky i, suggested")
    keys(page, "n", "x")
    expect(page.get_by_role("button", name="“**white**, and contains *all*”, Of **white**, rejected")).to_be_visible()
    assert len(page.locator(".critique__name").evaluate_all("all => all.filter((e) => e.ariaLabel.length > 20)")) == 10


# --- Single keys --------------------------------------------------------------------------------------

EVERY_KEY = "naxecwitvjkmpsurogdyb?[]{}+-.=0123456789"


def test_in_a_field_no_key_is_a_command(sign_in: Any, crew: Cast) -> None:
    reviewing(crew, rationale="optional")
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "n", "e", "Control+a")
    page.keyboard.type(f"{EVERY_KEY}A")
    before = state(page)
    assert before["critiques"][0]["comment"] == f"{EVERY_KEY}A" and in_hand(page) == before["critiques"][0]["id"]
    assert [card[:6] for card in cards(page)] == ["edited", *["open: "] * 9]
    keys(page, "Escape", "r")
    page.keyboard.type(EVERY_KEY)
    expect(page.locator("#rationale")).to_have_value(EVERY_KEY)
    keys(page, "Escape", "s")
    reason = page.get_by_role("textbox", name="Another reason")
    reason.focus()
    page.keyboard.type(EVERY_KEY)
    expect(reason).to_have_value(EVERY_KEY)
    keys(page, "Escape", "Escape")
    assert state(page) == before and not of_people()


def test_single_keys_are_switched_off_for_good(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "?")
    with page.expect_response("**/account/keys/"):
        page.get_by_label("Switch single keys off").check()
    keys(page, "Escape")
    for _ in range(2):
        for key in EVERY_KEY.replace("?", ""):
            keys(page, key)
        assert state(page) is None and not in_hand(page)
        expect(page.locator(".critique kbd")).to_have_count(0)
        page.reload()
        page.wait_for_selector(".critique")
    page.locator(".critique__name").first.click()
    page.locator(".critique[aria-current]").get_by_role("button", name="Accept", exact=True).click()
    assert cards(page)[0].startswith("accepted")
    keys(page, "Control+z")
    assert cards(page)[0].startswith("open")
    submit(page, "Control+Enter")
    assert len(of_people()) == 1


def test_a_key_is_changed_for_one_person_and_stays_changed(sign_in: Any, crew: Cast) -> None:
    reviewing(crew, 5)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "?")
    page.get_by_role("button", name="Change the key for: Accept the suggestion").click()
    keys(page, "x")
    expect(page.locator("#keys-said")).to_have_text("That key is taken: Reject it")
    keys(page, "5")
    expect(page.locator("#keys-said")).to_have_text("That key answers questions here.")
    with page.expect_response("**/account/keys/"):
        keys(page, "f")
    expect(page.locator("#keys-said")).to_have_text("Kept.")
    expect(page.get_by_role("button", name="Change the key for: Accept the suggestion")).to_be_focused()
    keys(page, "Escape")
    for _ in range(2):
        keys(page, "n", "a")
        assert state(page) is None
        keys(page, "f")
        assert cards(page)[0].startswith("accepted")
        expect(page.locator(".critique[aria-current] kbd").get_by_text("F", exact=True)).to_have_count(1)
        keys(page, "Control+z")
        page.reload()
        page.wait_for_selector(".critique")
    other = sit_down(sign_in(crew.bob), crew)
    keys(other, "n", "f")
    assert state(other) is None
    keys(page, "?")
    with page.expect_response("**/account/keys/"):
        page.get_by_role("button", name="As they were").click()
    keys(page, "Escape", "n", "a")
    assert cards(page)[0].startswith("accepted")
