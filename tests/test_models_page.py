"""The pages of models: found, registered, tried, and shown to whom they concern."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from curation.models import ModelVersion, Run, User
from curation.services import registry, running, trying
from tests.cast import Cast, make_project
from tests.models import files, laid
from tests.test_people import browser
from workers import warm


def made(name: str = "length", **fields: Any) -> ModelVersion:
    """A version that is ready: the program that counts words, unless told otherwise."""
    given = {"kind": "reward", "reference": "program:length", "state": "ready"} | fields
    return ModelVersion.objects.create(name=name, **given)


def page(client: Client, address: str, status: int = 200, **headers: str) -> str:
    reply = client.get(address, headers=headers)
    assert reply.status_code == status, reply.content.decode()[:500]
    return reply.content.decode()


@pytest.fixture
def ada(cast: Cast) -> Client:
    return browser(cast.ada)


def tried(client: Client, version: ModelVersion, first: str, second: str = "") -> str:
    """What the page shows of a try once a worker has done it."""
    reply = client.post(f"/models/{version.pk}/try/", {"prompt": "Q?", "first": first, "second": second})
    assert reply.status_code == 302, reply.content.decode()
    run = Run.objects.get(method="try-model")
    running.execute(str(run.pk))
    return page(client, reply["Location"])


def test_the_list_is_empty_with_a_way_on(cast: Cast, ada: Client) -> None:
    assert "Register the first model" in page(ada, "/models/")
    assert "Register" not in page(browser(cast.zed), "/models/")


def test_the_list_tells_kind_state_and_place_and_leaves_retired_ones_out(ada: Client) -> None:
    made(licence="mit")
    registry.retire(made("gone"))
    text = page(ada, "/models/")
    for words in ("length v1", "Reward model", "Ready", "program:length", "mit"):
        assert words in text
    assert "gone v1" not in text and "gone v1" in page(ada, "/models/?retired")


def test_the_list_is_paged_by_the_last_seen(ada: Client) -> None:
    for number in range(1, 53):
        made("many", number=number)
    first = page(ada, "/models/")
    older = re.search(r'href="(\?before=\d+)"', first)
    assert older is not None
    second = page(ada, f"/models/{older[1]}")
    assert first.count("many v") == 50 and second.count("many v") == 2


def test_a_model_of_a_project_is_shown_to_its_readers_only(cast: Cast) -> None:
    version = made(project=cast.project)
    assert "length v1" in page(browser(cast.vic), "/models/")
    for other in (cast.ann, cast.zed):
        assert "length v1" not in page(browser(other), "/models/")
        page(browser(other), f"/models/{version.pk}/", status=404)


def test_a_model_is_registered_by_the_form_and_checked(cast: Cast, ada: Client, tmp_path: Path) -> None:
    reference = laid(tmp_path, files())
    form = {"name": "tiny", "kind": "reward", "reference": reference, "config": '{"max_length": 64}'}
    reply = ada.post("/models/new/", form)
    assert reply.status_code == 302
    assert "Being checked" in page(ada, reply["Location"])
    version = ModelVersion.objects.get()
    running.execute(str(Run.objects.get().pk))
    text = page(ada, reply["Location"])
    assert "Ready" in text and "BertForSequenceClassification" in text and version.config == {"max_length": 64}
    assert "A tiny model" in text.partition("<h2>Card</h2>")[2], "its card is shown"
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reference": "nowhere"}, "begins with one of"),
        ({"config": "{"}, "no JSON"),
        ({"config": "[1]"}, "must be a JSON object"),
        ({"config": '{"beta": 1}'}, "beta: unknown"),
        ({"trust": "other"}, "type the model&#x27;s name"),
    ],
)
def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(ada: Client, change: dict[str, str], words: str) -> None:
    form = {"name": "tiny", "kind": "reward", "reference": "hf:owner/rm", "config": ""} | change
    reply = ada.post("/models/new/", form)
    text = reply.content.decode()
    assert reply.status_code == 422 and words in text and 'value="tiny"' in text
    assert not ModelVersion.objects.exists()


def test_only_staff_registers_and_acts(cast: Cast) -> None:
    version = made()
    mia = browser(cast.mia)
    page(mia, "/models/new/", status=403)
    for verb in ("check", "retire", "trust", "try"):
        assert mia.post(f"/models/{version.pk}/{verb}/").status_code == 403
    assert "Try it" not in page(mia, f"/models/{version.pk}/")


def test_the_state_is_asked_for_again_only_while_it_is_checked(cast: Cast, ada: Client) -> None:
    version = made(state="new")
    run = registry.check(version, user=cast.ada)
    address, asks = f"/models/{version.pk}/", {"HX-Request": "true", "HX-Target": "model-state"}
    fragment = page(ada, address, **asks)
    assert "hx-trigger" in fragment and "<html" not in fragment
    running.execute(str(run.pk))
    assert ada.get(address, headers=asks).headers["HX-Refresh"] == "true"
    assert "every 1s" not in page(ada, address)


def test_a_problem_is_said_on_the_page(ada: Client) -> None:
    text = page(ada, f"/models/{made(state='broken', problem='its weights are pickled').pk}/")
    assert "its weights are pickled" in text and "Try it" not in text


def test_own_code_is_allowed_by_typing_the_name(cast: Cast, ada: Client, tmp_path: Path) -> None:
    reference = laid(tmp_path, files() | {"modeling.py": b""})
    version = registry.register(name="tiny", kind="reward", reference=reference, user=cast.ada)
    running.execute(str(Run.objects.get().pk))
    address = f"/models/{version.pk}/"
    assert "Type tiny to allow it" in page(ada, address)
    assert "type the model" in ada.post(f"{address}trust/", {"name": "Tiny"}, follow=True).content.decode().lower()
    version.refresh_from_db()
    assert not version.trusted_code
    ada.post(f"{address}trust/", {"name": "tiny"})
    version.refresh_from_db()
    assert version.trusted_code


def test_a_model_is_retired_from_its_page(ada: Client) -> None:
    version = made()
    text = ada.post(f"/models/{version.pk}/retire/", follow=True).content.decode()
    assert "Retired" in text and "Try it" not in text
    assert ada.post(f"/models/{version.pk}/try/", {"prompt": "Q", "first": "a"}).status_code == 422


def test_runs_are_listed_as_far_as_one_may_read(cast: Cast, ada: Client) -> None:
    version = made()
    for project in (cast.project, make_project("secret")):
        Run.objects.create(project=project, method="score", model=version)
    Run.objects.create(method="check-model", model=version)
    seen = page(browser(cast.vic), f"/models/{version.pk}/")
    assert "Helpfulness" in seen and "Secret" not in seen and "this installation" not in seen
    everything = page(ada, f"/models/{version.pk}/")
    assert "Secret" in everything and "this installation" in everything


# --- Trying -----------------------------------------------------------------------------------------


def test_two_responses_are_compared(ada: Client) -> None:
    text = tried(ada, made(), "one two", "one two three")
    assert "2.0000" in text and "3.0000" in text
    assert "0.731" in text, "the sigmoid of a margin of 1"


def test_of_a_cost_model_the_dearer_one_is_worse(ada: Client) -> None:
    assert "0.269" in tried(ada, made(kind="cost"), "one two", "one two three")


def test_one_response_has_a_score_and_no_margin(ada: Client) -> None:
    text = tried(ada, made(), "one two <b>three</b>")
    assert "3.0000" in text and "second is better" not in text


def test_a_try_is_polled_until_it_has_ended(ada: Client) -> None:
    version = made()
    form = {"prompt": "Q?", "first": "a"}
    fragment = ada.post(f"/models/{version.pk}/try/", form, headers={"HX-Request": "true"}).content.decode()
    address = re.search(r'hx-get="([^"]+)"', fragment)
    assert address is not None and "<html" not in fragment
    running.execute(str(Run.objects.get().pk))
    assert "hx-get" not in page(ada, address[1], **{"HX-Request": "true"})


def test_an_empty_try_is_refused_in_words(ada: Client) -> None:
    reply = ada.post(f"/models/{made().pk}/try/", {"prompt": "Q", "first": " "}, headers={"HX-Request": "true"})
    assert b"Write a response to judge" in reply.content and not Run.objects.exists()


def test_a_model_that_cannot_be_opened_says_why(ada: Client) -> None:
    warm.forget()
    text = tried(ada, made(reference="program:nonsense"), "a")
    assert "It did not work" in text and "no program" in text and "Traceback" not in text


def test_a_try_is_seen_by_who_began_it(cast: Cast, ada: Client) -> None:
    version = made()
    run = trying.begin(version, prompt="Q", responses=["a"], user=cast.ada)
    eve = User.objects.create_user("eve", is_staff=True, is_superuser=True)
    page(browser(eve), f"/models/{version.pk}/try/{run.pk}/", status=404)


def test_values_of_places_become_shades_over_the_whole_text() -> None:
    mapped = {"offsets": [[0, 3], [4, 7], [7, 7], [8, 12]], "values": [1.0, -0.5, 9.0, 0.0]}
    mapped["values"][2] = 0.0
    pieces = trying.shaded("one two, three!", mapped)
    assert "".join(text for text, _, _ in pieces) == "one two, three!"
    assert [level for _, level, value in pieces if value is not None] == [4, -2, 0]


def test_the_heat_map_is_text_that_carries_its_value(cast: Cast, ada: Client) -> None:
    version = made(kind="token")
    result = {"responses": [{"scores": {"": 1.0}, "maps": [
        {"unit": "token", "head": "", "offsets": [[0, 4], [5, 8]], "values": [0.5, -1.0]}]}]}  # fmt: skip
    run = Run.objects.create(
        method="try-model", model=version, created_by=cast.ada, state="succeeded", result=result,
        params={"model": version.pk, "prompt": "Q", "responses": ["good <b>"]},
    )  # fmt: skip
    text = page(ada, f"/models/{version.pk}/try/{run.pk}/")
    assert 'data-level="2" title="0.500">good</span>' in text
    assert 'data-level="-4" title="-1.000">&lt;b&gt;</span>' in text


# --- The admin --------------------------------------------------------------------------------------


def test_the_admin_lists_checks_and_retires(ada: Client) -> None:
    version = made()
    base = "/admin/curation/modelversion/"
    assert "program:length" in page(ada, base)
    assert f"/models/{version.pk}/#try" in page(ada, f"{base}{version.pk}/change/")
    ada.post(base, {"action": "check_again", "_selected_action": [version.pk]})
    assert Run.objects.filter(method="check-model", model=version).count() == 1
    ada.post(base, {"action": "retire", "_selected_action": [version.pk]})
    version.refresh_from_db()
    assert version.retired_at is not None
