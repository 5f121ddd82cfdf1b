"""Each format is recognised by its fields and read into items; a bad row says which field and why."""

from __future__ import annotations

from typing import Any

import pytest

from workers.readers import Options, readers, recognise
from workers.rows import ItemRow, JudgementRow, RowError

TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
OTHER = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go away"}]
HUMAN = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant:"

ROWS: dict[str, dict[str, Any]] = {
    "touchstone": {"id": "1", "prompt": "Why?", "responses": ["A", {"text": "B", "model": "m"}]},
    "trl-preference": {"prompt": "Why?", "chosen": "A", "rejected": "B"},
    "trl-preference-implicit": {"chosen": TALK, "rejected": OTHER},
    "hh-rlhf": {"chosen": HUMAN + " Because.", "rejected": HUMAN + " No idea."},
    "votes": {"prompt": "Why?", "response_a": "A", "response_b": "B", "votes": [{"annotator": "w", "choice": "a"}]},
    "mt-bench": {"conversation_a": TALK, "conversation_b": OTHER, "turn": 1, "votes": [], "gpt4_pair": ["b"]},
    "convarg": {"id": "1", "topic": "t_tea", "debate": "Tea or coffee", "response_a": "a1", "response_b": "a2"},
    "alpaca-eval": {
        "prompt": "Why?",
        "baseline": {"model": "base", "text": "A"},
        "responses": [{"model": "m", "text": "B", "gpt4_win_rate_vs_baseline": 0.9}],
    },
    "judgements": {"id": "1", "judge": "gpt-4", "choice": "tie"},
    "columns": {"question": "Why?", "answer1": "A", "answer2": "B", "winner": "model_b"},
    "w3c": {"type": "AnnotationPage", "items": [], "touchstone": {"response": "A"}},
    "text2grad": {"prompt": "Why?", "response": "A b", "textual_feedback": "f", "good_spans": ["b"], "poor_spans": []},
    "sentence-labels": {"prompt": "Why?", "response": "A.", "sentences": [{"text": "A.", "faithful": True}]},
    "trl-stepwise": {"prompt": "Why?", "completions": ["A", "B"], "labels": [True, False]},
    "critique-verdict": {"question": "Why?", "solution": "A", "verdict": "Incorrect", "critique": "c"},
    "pku-saferlhf": {"prompt": "Why?", "response_0": "A", "response_1": "B", "better_response_id": 0,
                     "safer_response_id": 1},
    "argilla-spans": {"fields": {"text": "A"}, "responses": {"s": [{"value": [{"start": 0, "end": 1, "label": "x"}]}]}},
    "label-studio": {"data": {"text": "A"}, "annotations": [{"result": []}]},
    "doccano": {"text": "A", "label": [[0, 1, "x"]]},
    "mqm-tsv": {"system": "m", "doc": "d", "docSegId": "1", "rater": "r1", "source": "A", "target": "<v>B</v>",
                "category": "Style", "severity": "minor"},
    "mqm": {"source": "A", "target": "B", "rater": "r1", "errors": []},
    "first-error": {"problem": "Why?", "steps": ["A", "B"], "first_error_step": 1, "final_answer_correct": False},
    "qa-feedback": {"question": "Why?", "passages": [], "predictions": ["A"], "errors": []},
    "faithbench": {"source": "A", "summary": "B", "annotations": []},
    "xsum-hallucination": {"bbcid": "1", "summary": "A", "hallucination": [{"annotator": "w", "type": None}]},
    "haluquestqa": {"question": "Why?", "response_a": "A", "response_b": "B", "choice": "a", "choice_reason": "c",
                    "spans": []},
    "halueval": {"prompt": "Why?", "response": "A", "hallucination": "no", "spans": []},
    "squality": {"passage_id": "1", "question_index": 0, "question": "Why?", "response": "A", "reviews": []},
    "felm": {"prompt": "Why?", "response": "A", "segments": [{"text": "A", "factual": True}]},
    "tofueval": {"doc_id": "d", "topic": "t", "sentence_index": 1, "sentence": "A.", "label": "consistent"},
    "shepherd": {"context": "Why?", "response": "A", "critiques": [{"type": "t", "critique": "c"}]},
    "safety-votes": {"context": "Why?", "response": "A", "unsafe_votes": ["No", "Yes"]},
    "solutions": {"question": "Why?", "solutions": [{"model": "m", "is_correct": True, "solution": "A"}]},
}  # fmt: skip


def read(name: str, row: dict[str, Any], **options: Any) -> Any:
    return readers.get(name).read(row, Options(**options))


def refused(name: str, row: dict[str, Any], **options: Any) -> tuple[str, str]:
    with pytest.raises(RowError) as caught:
        read(name, row, **options)
    return caught.value.field, caught.value.reason


@pytest.mark.parametrize("name", ROWS)
def test_a_format_is_recognised_by_its_fields(name: str) -> None:
    found = recognise([ROWS[name]])
    assert found is not None and found.name == name


@pytest.mark.parametrize("name", [name for name in ROWS if name not in ("judgements", "convarg")])
def test_the_row_of_a_format_can_be_read(name: str) -> None:
    assert read(name, ROWS[name]).responses


def test_every_format_has_a_row_here_and_an_example() -> None:
    assert {reader.name for reader in readers} == set(ROWS)
    assert all(reader.example and reader.title for reader in readers)


def test_a_table_with_a_winner_is_a_table_whatever_its_columns_are_called() -> None:
    row = {"prompt": "Why?", "response_a": "A", "response_b": "B", "winner": "tie (bothbad)"}
    found = recognise([row])
    assert found is not None and found.name == "columns"
    (vote,) = read("columns", row).votes
    assert vote.both_bad and vote.value is None


def test_an_arena_vote_has_one_winner_and_counts_its_turns() -> None:
    more = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    row = {"conversation_a": TALK + more * 2, "conversation_b": OTHER + more * 2, "turn": 3, "judge": "arena_user_7"}
    item = read("mt-bench", row | {"winner": "model_b"})
    assert [(vote.annotator, vote.value) for vote in item.votes] == [("arena_user_7", 1)]
    assert len(item.responses[0].messages or []) == 5
    assert refused("mt-bench", row | {"winner": "neither"})[0] == "winner"


def test_unknown_fields_are_no_format() -> None:
    assert recognise([{"a": 1, "b": 2}]) is None


def test_an_unknown_format_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="touchstone"):
        readers.get("nothing")


def test_chosen_comes_first_and_is_a_vote_for_the_first() -> None:
    item = read("trl-preference", ROWS["trl-preference"])
    assert [r.text for r in item.responses] == ["A", "B"]
    assert [(v.annotator, v.kind, v.value) for v in item.votes] == [("imported", "person", -1)]


def test_what_two_conversations_share_is_the_prompt() -> None:
    item = read("trl-preference-implicit", ROWS["trl-preference-implicit"])
    assert item.prompt == TALK[:1]
    assert [r.text for r in item.responses] == ["Hello", "Go away"]


def test_a_spoken_transcript_becomes_turns() -> None:
    item = read("hh-rlhf", ROWS["hh-rlhf"])
    assert [m["role"] for m in item.prompt] == ["user", "assistant", "user"]
    assert [r.text for r in item.responses] == ["Because.", "No idea."]


def test_a_spoken_prompt_of_its_own_leaves_the_replies_as_they_are() -> None:
    item = read("hh-rlhf", {"prompt": HUMAN, "chosen": " Because.", "rejected": " No idea."})
    assert item.prompt[-1] == {"role": "user", "content": "Why?"}
    assert [r.text for r in item.responses] == ["Because.", "No idea."]


def test_a_vote_on_several_axes_is_one_for_each() -> None:
    votes = [{"annotator": "w1", "helpful": "a", "clear": "tie", "reason": "so", "seconds": 4, "deep": None}]
    item = read("votes", {**ROWS["votes"], "votes": votes})
    assert [(v.annotator, v.axis, v.value, v.rationale) for v in item.votes] == [
        ("w1", "helpful", -1, "so"), ("w1", "clear", 0, "so"),
    ]  # fmt: skip
    for wrong, field in (
        ({"helpful": "left"}, "votes.0.helpful"),
        ({"x" * 41: "a"}, "votes.0." + "x" * 41),
        ({}, "votes.0.choice"),
    ):
        with pytest.raises(RowError) as told:
            read("votes", {**ROWS["votes"], "votes": [{"annotator": "w1", **wrong}]})
        assert told.value.field == field


def test_a_table_names_texts_of_a_companion_file() -> None:
    row = {"query": "Why?", "response_a": "r1", "response_b": 2, "votes": [{"annotator": "w", "deep": "b"}]}
    options = Options(companion={"r1": "One.", "2": "Two."})
    item = readers.get("columns").read(row, options)
    assert isinstance(item, ItemRow)
    assert [one.text for one in item.responses] == ["One.", "Two."] and item.votes[0].axis == "deep"
    with pytest.raises(RowError) as told:
        readers.get("columns").read({**row, "response_b": "r3"}, options)
    assert (told.value.field, told.value.reason) == ("response_b", "is not in the companion file")


def test_raw_votes_keep_annotator_choice_and_reason() -> None:
    votes = [{"annotator": "w1", "choice": "a", "reason": "clearer"}, {"annotator": "w2", "choice": "tie"}]
    item = read("votes", {**ROWS["votes"], "votes": votes})
    assert [(v.annotator, v.value, v.rationale) for v in item.votes] == [("w1", -1, "clearer"), ("w2", 0, "")]


def test_the_judge_of_mt_bench_is_a_model() -> None:
    item = read("mt-bench", ROWS["mt-bench"])
    assert [(v.annotator, v.kind, v.value) for v in item.votes] == [("gpt-4", "model", 1)]


def test_a_vote_on_the_second_turn_compares_several_messages() -> None:
    more = [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "Well"}]
    row = {"conversation_a": TALK + more, "conversation_b": OTHER + more, "turn": 2, "votes": []}
    item = read("mt-bench", row)
    assert item.prompt == TALK[:1]
    assert [len(r.messages or []) for r in item.responses] == [3, 3]
    assert item.metadata == {"turn": 2}


def test_arguments_come_from_the_companion_file() -> None:
    item = read("convarg", ROWS["convarg"], companion={"a1": "Tea is calm.", "a2": "Tea is old."})
    assert [r.text for r in item.responses] == ["Tea is calm.", "Tea is old."]
    assert "Tea or coffee" in item.prompt[0]["content"]
    assert refused("convarg", ROWS["convarg"])[0] == "response_a"


def test_a_win_rate_is_a_vote_of_the_judge_with_its_probability() -> None:
    item = read("alpaca-eval", ROWS["alpaca-eval"])
    assert item.pairs == [(0, 1)]
    vote = item.votes[0]
    assert (vote.annotator, vote.kind, vote.value, vote.probability) == ("gpt-4-turbo", "model", 1, 0.9)


def test_a_judgement_names_the_item_it_is_about() -> None:
    row = read("judgements", ROWS["judgements"])
    assert isinstance(row, JudgementRow)
    assert (row.external_id, row.vote.kind, row.vote.value) == ("1", "model", 0)


def test_a_mapping_says_which_column_is_what() -> None:
    row = {"frage": "Warum?", "x": "A", "y": "B", "nr": 7, "more": "kept"}
    mapping = {"prompt": "frage", "response_a": "x", "response_b": "y", "id": "nr"}
    item = read("columns", row, mapping=mapping)
    assert (item.external_id, item.prompt[0]["content"], item.metadata) == ("7", "Warum?", {"more": "kept"})
    assert refused("columns", row, mapping={**mapping, "prompt": "no"})[0] == "no"


def test_unused_fields_are_kept_as_metadata() -> None:
    item = read("trl-preference", {**ROWS["trl-preference"], "source": "web", "n": 3})
    assert isinstance(item, ItemRow) and item.metadata == {"source": "web", "n": 3}


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"prompt": None}, "prompt", "missing"),
        ({"prompt": "  "}, "prompt", "empty"),
        ({"prompt": 5}, "prompt", "not a number"),
        ({"prompt": [{"role": "king", "content": "x"}]}, "prompt.0.role", "must be one of"),
        ({"responses": "A"}, "responses", "must be a list"),
        ({"responses": ["A", ""]}, "responses.1", "empty"),
        ({"responses": ["A", True]}, "responses.1", "not true or false"),
        ({"responses": ["A", "B\0"]}, "responses.1", "NUL"),
        ({"responses": ["A", "\ud800"]}, "responses.1", "surrogate"),
        ({"responses": ["A", {"model": "m"}]}, "responses.1.text", "missing"),
        ({"id": "x" * 201}, "id", "longer than 200"),
        ({"id": ["x"]}, "id", "must be text"),
        ({"pairs": [[0, 2]]}, "pairs.0", "0 to 1"),
        ({"pairs": [[1, 1]]}, "pairs.0", "twice"),
        ({"metadata": {"a": "\0"}}, "metadata.a", "NUL"),
        ({"metadata": {"a": [[[]] * 2]}, "context": 3}, "context", "must be an object"),
        ({"votes": [{"annotator": "w", "value": 9}]}, "votes.0.value", "-3"),
        ({"votes": [{"value": 1}]}, "votes.0.annotator", "missing"),
        ({"votes": [{"annotator": "w", "value": 1, "first": 1, "second": 1}]}, "votes.0", "itself"),
    ],
)
def test_a_bad_field_is_named_with_its_reason(change: dict[str, Any], field: str, reason: str) -> None:
    said = refused("touchstone", {**ROWS["touchstone"], **change})
    assert said[0] == field and reason in said[1]


def test_deep_nesting_is_refused_before_it_exhausts_anything() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert "nested" in refused("touchstone", {**ROWS["touchstone"], "metadata": {"deep": deep}})[1]
