"""The pages of trainings: the list, its empty state, one with its curves, two side by side, the hardest rows sent."""

from __future__ import annotations

import pytest

from curation.errors import Invalid
from curation.models import Item, Run, RunLine, Task
from curation.services import queueing, running, starting
from curation.services.methods import METHODS
from curation.services.training.registering import began
from curation.services.training.told import DEPTH
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_freezing import answer_all, frozen
from tests.test_people import browser
from tests.trainings import a_training
from workers.likeness import nearest
from workers.training import trainers


def page(cast: Cast, address: str, name: str = "olga") -> str:
    answer = browser(cast.people[name]).get(f"/projects/{cast.project.slug}/{address}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_a_training_the_page_says_what_to_do_first(cast: Cast) -> None:
    text = page(cast, "training/")
    assert "Nothing was trained here yet" in text and "train-bradley-terry" in text and "none is ready here" in text
    assert "train-bradley-terry" not in page(cast, "training/", "vic")


def test_what_a_training_lacks_is_said_on_its_card_and_at_the_head_of_its_form(cast: Cast) -> None:
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", *[1] * 4)
    frozen(cast, target="trl-preference")
    cards = page(cast, "training/").split("<h3>")[1:]
    dpo = next(one for one in cards if "method=train-dpo" in one)
    assert NO_MODEL in dpo and "/models/new/" in dpo and "a dataset version" not in dpo
    sft = next(one for one in cards if "method=train-sft" in one)
    assert "It needs a dataset version for" in sft and "datasets/new/?target=trl-sft" in sft and NO_MODEL in sft
    head = next(one for one in cards if "method=train-frozen-head" in one)
    assert "All that it needs is ready." in head
    form = page(cast, "runs/new/?method=train-dpo")
    assert form.index(NO_MODEL) < form.index('name="dataset"') and "(optional)" not in form
    assert 'Base <span class="muted">(required)</span>' in form and "Choose…" in form
    assert "Automatic: the newest of these." in form and "helpfulness@3" not in form
    assert "It needs" not in page(cast, "runs/new/?method=train-frozen-head")
    with pytest.raises(Invalid) as refused:
        starting.start(project=cast.project, method="train-dpo", params={}, user=cast.olga)
    assert refused.value.field == "params.base"


NO_MODEL = "It needs a language model to start from, and none is ready here"


def test_a_training_shows_curves_slices_and_the_hardest_rows(cast: Cast) -> None:
    make_pairs(cast.project, 6)
    Item.objects.filter(external_id="item-0").update(metadata={"domain": "poems"})
    Item.objects.exclude(external_id="item-0").update(metadata={"domain": "sums"})
    run = a_training(cast.project, cast.olga)
    text = page(cast, f"runs/{run.pk}/")
    for title in ("Loss", "Accuracy", "Margin", "Learning rate", DEPTH, "Calibration", "The hardest rows"):
        assert title in text
    assert "loss from 0.687 to 0.300" in text
    assert "50.0 %" in text and "poems" in text and "preferred is shorter" in text
    assert text.index("Question 0?") < text.index("Question 2?") < text.index("Question 1?")
    assert "Send these and 50 like them" in text
    assert "Send these and 50 like them" not in page(cast, f"runs/{run.pk}/", "vic")
    listed = page(cast, "training/")
    assert "liked" in listed and "50.0 % <span" in listed


def test_the_hardest_rows_lead_to_their_rows_of_the_version(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    run = a_training(cast.project, cast.olga)
    assert "rows/test/0/" not in page(cast, f"runs/{run.pk}/")
    answer_all(cast, "ann", 1, 1, 1)
    frozen(cast, splits={"test": 1.0})
    address = f"/projects/{cast.project.slug}/datasets/prefs/1/rows/test/0/"
    text = page(cast, f"runs/{run.pk}/")
    assert f'<a href="{address}">test 0</a>' in text
    assert "table--stack" in text and 'data-label="Margin"' in text  # a phone shows the cells below the prompt
    assert "Test row 0" in page(cast, "datasets/prefs/1/rows/test/0/")


def test_the_page_of_a_cost_model_speaks_of_harm(cast: Cast) -> None:
    """Its first response is the less safe one, and nobody preferred it."""
    make_pairs(cast.project, 6)
    run = a_training(cast.project, cast.olga)
    assert "Pre-label with it" in page(cast, f"runs/{run.pk}/") and "the longer response in" in page(
        cast, f"runs/{run.pk}/"
    )
    run.method = "train-cost"
    run.result.pop("length_bias")
    run.save()
    text = page(cast, f"runs/{run.pk}/")
    assert "Always taking the longer response for the less safe one" in text and "the less safe one is shorter" in text
    assert '<th class="num">Less safe</th>' in text and "Preferred" not in text and "preferred is" not in text


def test_a_form_folds_what_is_seldom_touched_and_takes_a_model_from_the_address(cast: Cast) -> None:
    run = a_training(cast.project, cast.olga)
    text = page(cast, "runs/new/?method=train-bradley-terry")
    assert "More settings (13)" in text and text.index("Learning rate") < text.index("More settings") < text.index(
        "Norms"
    )
    made = run.result["model"]
    assert f'<option value="{made}" selected>' in page(cast, f"runs/new/?method=prelabel&model={made}")


def test_trainings_side_by_side_name_what_they_differ_in(cast: Cast) -> None:
    make_pairs(cast.project, 4)
    one, other = a_training(cast.project, cast.olga), a_training(cast.project, cast.olga, seed=3)
    text = page(cast, f"training/compare/?run={one.pk}&run={other.pk}&run=nonsense")
    assert '<th scope="row">Seed</th>' in text and "Learning rate</th>" not in text
    first = [text.index(words) for words in ("Right on held-out rows", "Always the longer response", "differ-title")]
    assert first == sorted(first)
    assert first[-1] < text.index("What is alike") < text.index("<dt>Learning rate</dt>")
    assert "50.0 % <" in text and "Length:</span> preferred is shorter" in text and "30 steps" in text
    assert "False" not in text and "<dt>Base</dt><dd>none</dd>" in text and "<dd>0.00003</dd>" in text
    assert "Held out accuracy" in text
    assert f"{DEPTH}, at 10 %" in text and "Gradient layer" not in text
    assert "Tick two trainings" in page(cast, f"training/compare/?run={one.pk}")


def test_a_curve_of_one_point_is_not_drawn_and_one_beside_a_longer_one_is_a_dot(cast: Cast) -> None:
    run = a_training(cast.project, cast.olga, steps=1)
    assert 'class="strong">Loss</span>' not in page(cast, f"runs/{run.pk}/")
    other = a_training(cast.project, cast.olga, seed=1)
    text = page(cast, f"training/compare/?run={run.pk}&run={other.pk}")
    assert "curve--point" in text
    lone = page(cast, f"training/compare/?run={run.pk}&run={other.pk}").split("Held out accuracy</span>")[1]
    assert 'class="legend' in lone.split("</figcaption>")[0], "the only run with a curve is named"


def test_what_a_training_does_after_its_last_step_is_said_beside_the_bar(cast: Cast) -> None:
    run = a_training(cast.project, cast.olga)
    Run.objects.filter(pk=run.pk).update(state="running", result={}, started_at=run.created_at)
    assert "Time left" in page(cast, f"runs/{run.pk}/") and "evaluating" not in page(cast, f"runs/{run.pk}/")
    RunLine.objects.create(run=run, text="evaluating on 82 held-out rows")
    text = page(cast, f"runs/{run.pk}/")
    assert "· evaluating on 82 held-out rows" in text and "Time left" not in text


def test_measures_have_words(cast: Cast) -> None:
    run = a_training(cast.project, cast.olga)
    run.result |= {"cut": 249, "tokens": 52102, "trained_on": 0.979}
    run.save()
    text = page(cast, f"runs/{run.pk}/")
    assert "<dt>Texts cut to the longest length</dt><dd>249</dd>" in text and "Tokens of these rows" in text
    assert "<dt>Right on its own training rows</dt><dd>97.9 %</dd>" in text
    assert METHODS["train-frozen-head"].unit == "responses" and METHODS["train-bradley-terry"].unit == "steps"


def test_the_hardest_rows_are_asked_again_and_those_like_them_come_first(cast: Cast) -> None:
    make_pairs(cast.project, 8)
    answer_all(cast, "ann", *[1] * 4)
    Item.objects.filter(external_id="item-6").update(prompt=[{"role": "user", "content": "About zebras, question?"}])
    Item.objects.filter(external_id="item-0").update(prompt=[{"role": "user", "content": "What do zebras eat?"}])
    run = a_training(cast.project, cast.olga)
    client = browser(cast.olga)
    sent = client.post(f"/projects/{cast.project.slug}/training/{run.pk}/send/")
    asking = Run.objects.get(method="ask-about-hardest")
    assert sent["Location"].endswith(f"/runs/{asking.pk}/")
    asking.params = {**asking.params, "hardest": 1, "like": 1}
    asking.save()
    running.execute(str(asking.pk))
    asking.refresh_from_db()
    assert asking.result == {"hardest": 1, "asked_again": 1, "like_them": 1}, asking.error
    first = Task.objects.get(pair__item__external_id="item-0")
    assert (first.overlap, first.state, first.pick) == (2, Task.State.OPEN, "hard")
    ahead = Task.objects.filter(priority__gt=queueing.HIGHEST // 2).values_list("pair__item__external_id", flat=True)
    assert set(ahead) == {"item-0", "item-6"}
    Run.objects.filter(pk=asking.pk).update(state="queued")
    running.execute(str(asking.pk))
    first.refresh_from_db()
    assert first.overlap == 2


def test_points_and_held_out_rows_by_the_api(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    run = a_training(cast.project, cast.olga)
    told = calling(cast.olga).get(f"/api/v1/runs/{run.pk}/points?limit=2").json()
    assert [one["step"] for one in told["results"]] == [1, 2] and told["next"]
    rows = calling(cast.olga).get(f"/api/v1/runs/{run.pk}/held-out")
    assert len(b"".join(rows.streaming_content).splitlines()) == 3  # type: ignore[attr-defined]
    bare = Run.objects.create(project=cast.project, method="freeze")
    assert calling(cast.olga).get(f"/api/v1/runs/{bare.pk}/held-out").status_code == 404


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(["zebras eat grass"], [3]), (["the the the"], []), (["apples", "grass"], [3, 1])],
)
def test_likeness_goes_by_rare_words(wanted: list[str], found: list[int]) -> None:
    texts = [(n, f"the {word} is the one") for n, word in enumerate(["car", "apples", "sun", "grass"] + ["x"] * 20)]
    assert sorted(nearest(wanted, texts, 2)) == sorted(found)


def test_the_frozen_head_asks_only_what_it_reads_and_says_what_it_builds_on(cast: Cast) -> None:
    text = page(cast, "runs/new/?method=train-frozen-head")
    assert 'name="dataset"' in text and 'name="max_length"' in text
    assert not any(f'name="{name}"' in text for name in ("base", "epochs", "learning_rate", "lora", "schedule"))
    assert 'name="base"' in page(cast, "runs/new/?method=train-bradley-terry")
    assert "builtin:minilm" in began(None, {}, trainers.get("frozen-head"))
