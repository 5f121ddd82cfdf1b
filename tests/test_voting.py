"""Rounds of a judge as one preference: the majority, a tie that is no guess, strength, and what cancels a bias."""

from __future__ import annotations

from math import exp, isclose, log

import pytest

from workers.criticising import Demonstration, Subject, Wanted, request, ways
from workers.critics import guided, self_reference
from workers.critics.voting import Round, Side, in_words, of_models, perplexities, probability, read_back, vote
from workers.likely import at_verdict

ASK = [{"role": "user", "content": "What is 2 + 2?"}]
AXES = [{"name": "overall", "question": "Which response is better?"}]
WANTED = Wanted(axes=AXES, principle="Be good.", guidelines="Be exact.")


def rounds(said: str, likelihood: tuple[float, float] | None = None) -> list[Round]:
    """Rounds by their verdicts, the first response first in every other one."""
    sides: dict[str, Side] = {"A": "a", "B": "b", "-": ""}
    return [
        Round("a" if n % 2 == 0 else "b", sides[one], (f"good {n}", f"bad {n}"), likelihood)
        for n, one in enumerate(said)
    ]


def test_the_majority_of_four_rounds_worked_out_by_hand() -> None:
    voted = vote(rounds("AABA"))
    assert (voted.side, voted.a, voted.b, voted.by, voted.flipped) == ("a", 3, 1, "votes", False)
    assert isclose(voted.strength, log(4 / 2)) and isclose(probability(voted), 1 / 3)
    assert isclose(probability(vote(rounds("BBBB"))), 5 / 6)


def test_a_tie_is_unsure_and_never_a_guess() -> None:
    for said in ("ABAB", "AABB", "----", ""):
        voted = vote(rounds(said))
        assert (voted.side, voted.strength, probability(voted)) == ("", 0.0, 0.5)
    assert vote(rounds("ABAB")).flipped, "always the one named first"
    assert vote(rounds("A-A-")).side == "a", "what could not be read has no vote"


def test_orders_that_do_not_come_to_the_same_need_some_strength() -> None:
    doubtful = "AAABAB"  # one order: A A A, the other: A B B
    assert vote(rounds(doubtful)).side == "a" and vote(rounds(doubtful)).flipped
    assert vote(rounds(doubtful), least=1.0).side == ""
    assert vote(rounds("AAAA"), least=3.0).side == "a", "both orders agree"


def test_strength_is_the_difference_of_the_logarithms_of_semantic_perplexity() -> None:
    given = [Round("a", "a", likelihood=(log(0.8), log(0.2))), Round("b", "a", likelihood=(log(0.5), log(0.5)))]
    a, b = perplexities([one.likelihood for one in given if one.likelihood])
    assert isclose(a, 1 / (0.8 * 0.5) ** 0.5) and isclose(b, 1 / (0.2 * 0.5) ** 0.5)
    voted = vote(given)
    assert voted.by == "perplexity" and isclose(voted.strength, log(4) / 2)
    assert isclose(probability(voted), 1 / (1 + exp(voted.strength)))
    assert vote([*given, Round("a", "a")]).by == "votes", "one round without: votes"


def test_a_place_that_adds_to_a_verdict_cancels_in_its_strength() -> None:
    def logit(value: float) -> tuple[float, float]:
        return -log(1 + exp(-value)), -log(1 + exp(value))

    for bias in (0.0, 0.5, 1.0):
        both = [Round("a", "a", likelihood=logit(1.2 + bias)), Round("b", "a", likelihood=logit(1.2 - bias))]
        assert isclose(vote(both).strength, 1.2)
    sure = [Round("a", "a", likelihood=logit(9.0)), Round("b", "a", likelihood=logit(9.0))]
    assert vote(sure).strength == 3.0, "capped"


def test_several_models_need_more_than_half() -> None:
    assert of_models(["a", "a", "b"]).side == "a" and isclose(of_models(["a", "a", "b"]).strength, log(3 / 2))
    assert of_models(["a", "b", ""]).side == of_models(["a", "", ""]).side == of_models([]).side == ""


def test_the_words_of_a_vote_are_read_back() -> None:
    given = rounds("AAAB-B")
    told = in_words(vote(given), given, own="Four.\n\nA: not a critique\n\nIts own answer: no", refused=True)
    strip = read_back(told)
    assert strip is not None and told.startswith(
        "Votes: A A A B – B · named first: A B A B A B · strength 0.29 by votes"
    )
    assert strip.votes[3:5] == [("B", "B"), ("–", "A")] and strip.side == "A"
    assert strip.refused and strip.flipped and strip.strength == 0.29
    assert strip.critiques == [("A", "good 0"), ("B", "bad 0")]
    assert strip.own == "Four.\n\nA: not a critique\n\nIts own answer: no" and strip.more == ""
    assert read_back("It is better.") is None and read_back("Votes: A") is None
    bare = read_back(in_words(vote(rounds("AB")), rounds("AB"), more="Split.", orders=False))
    assert bare and bare.more == "Split." and bare.votes == [("A", ""), ("B", "")] and bare.flipped


# --- What is asked -----------------------------------------------------------------------------------


def test_the_own_answer_comes_before_the_responses_and_the_principle_last() -> None:
    way = ways.get("self-reference")
    subject = Subject(ASK, [["5"], ["4"]], ["A document."], turned=True, own="It is 4.")
    made = request(way, WANTED, subject)
    assert [one["role"] for one in made.messages] == ["user", "assistant", "user"]
    assert made.messages[0]["content"].endswith("What is 2 + 2?") and "A document." in made.messages[0]["content"]
    assert made.messages[1]["content"] == "It is 4." and made.verdict == ("1", "2")
    last = made.messages[2]["content"]
    assert last.index("5\n") < last.index("4\n") < last.index("verdict") and last.endswith("Be good.")
    assert "Be exact." not in last, "one principle instead of rules"
    one = self_reference.round_of(subject, {"critique_1": "wrong", "critique_2": "right", "verdict": "2"})
    assert one == Round("b", "a", ("right", "wrong"))
    kept = {"verdict": "2", "likelihood": {"1": -2.0, "2": -0.1}}
    assert self_reference.round_of(subject, kept).likelihood == (-0.1, -2.0)
    assert way.read(WANTED, subject, {"verdict": "2"}).preferences[0]["value"] == -1


@pytest.mark.parametrize("words", ["I'm sorry, but I can't help.", "  I cannot do that.", "As an AI, I don't.", " "])
def test_a_refusal_is_told_from_an_answer(words: str) -> None:
    assert self_reference.is_refusal(words)
    assert not self_reference.is_refusal(f"The sky is blue. {words}")
    assert not self_reference.is_refusal("I can help: it is 4.")


def test_marks_of_chat_templates_are_seen() -> None:
    assert self_reference.has_template("fine", "a <|im_start|>user") and self_reference.has_template("[INST]")
    assert not self_reference.has_template("<s>struck</s> a|b <b>")


def test_examples_stand_before_the_pair_with_label_and_attributes() -> None:
    shown = [Demonstration(ASK, ["four", "five"], 1, {"guideline": "Be right.", "category": "math"})]
    subject = Subject(ASK, [["4"], ["5"]], shown=shown, attributes={"desired": ["exact", "short"]})
    (message,) = request(ways.get("guided"), WANTED, subject).messages
    told = message["content"]
    order = ["Be exact.", "four", "category: math\nguideline: Be right.", "Better: Response 1", ">\n4\n<"]
    places = [told.index(words) for words in [*order, "desired: exact, short", "differences"]]
    assert places == sorted(places)
    assert guided.round_of(subject, {"differences": "-", "verdict": "1"}) == Round("a", "a")


# --- How likely a verdict was ------------------------------------------------------------------------


def test_likelihoods_of_verdicts_are_those_at_their_place() -> None:
    tokens = [
        ('{"verdict": "no", ', {'{"verdict": "no", ': 0.0}),
        ('"verdict": ', {'"verdict": ': 0.0}),
        ('"1', {'"1': log(0.6), '"2': log(0.2), '"1"}': log(0.1), '"3': log(0.1)}),
        ('"}', {'"}': 0.0}),
    ]
    found = at_verdict(tokens, ["1", "2"])
    assert isclose(exp(found["1"]), 0.7 / 0.9) and isclose(exp(found["2"]), 0.2 / 0.9)
    alone = [*tokens[:2], ('"1', {'"1': log(0.9), " x": log(0.05)})]
    assert isclose(exp(at_verdict(alone, ["1", "2"])["2"]), 0.05 / 0.95), "as likely as the least that is told"
    assert at_verdict(tokens[:1], ["1", "2"]) == {} == at_verdict([("no", {"no": 0.0})], ["1", "2"])
