"""The pages of projects: what each role sees, what the plots say, and what settings do to the queue."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from curation import plots
from curation.access import annotator_for
from curation.models import Project, Protocol, Run, Tally, Task, TaskKind, User
from curation.services import annotating, assigning, importing, machines, overview, projects, queueing, running
from curation.services.answering import Answer, Judged, Said, units_in
from curation.services.desk import FRONT, desk_of, progress_now
from tests.cast import Cast, make_pairs
from tests.imports import bring, file_of, row
from tests.test_people import browser


def answer(user: User, project: Project, value: int | None = 1, **judgement: object) -> int:
    """The next task answered by `user`; its id."""
    annotator = annotator_for(user, project)
    held = assigning.next_for(project=project, annotator=annotator)
    assert held is not None
    given = annotating.Judgement("overall", value, **judgement)  # type: ignore[arg-type]
    commit = annotating.Commit(f"{user}-{held.task_id}-{timezone.now()}", active_ms=20_000)
    annotating.submit(desk=desk_of(project, annotator), task_id=held.task_id, judgements=[given], commit=commit)
    return held.task_id


def left(user: User, project: Project) -> int:
    return progress_now(annotator_for(user, project).pk).left


def page(user: User, path: str) -> str:
    reply = browser(user).get(path)
    assert reply.status_code == 200
    return reply.content.decode()


# --- Who sees what ------------------------------------------------------------------------------------


def test_the_list_shows_ones_own_projects_with_their_progress(cast: Cast) -> None:
    make_pairs(cast.project, 4)
    answer(cast.ann, cast.project)
    shown = page(cast.ann, "/projects/")
    assert "Helpfulness" in shown and "1 of 4 tasks" in shown and "New project" not in shown
    assert "You are in no project yet" in page(cast.zed, "/projects/")
    assert "Helpfulness" not in page(cast.zed, "/projects/")


def test_an_annotator_sees_the_own_progress_and_nobody_elses(cast: Cast) -> None:
    make_pairs(cast.project, 3)
    answer(cast.bob, cast.project)
    answer(cast.ann, cast.project)
    shown = page(cast.ann, f"/projects/{cast.project.slug}/")
    assert "1 of 2 for you" in shown and "Go on annotating" in shown
    for hidden in ("bob", "Preferences", "Answers per day", "Import data", "/members/", "/datasets/", "/runs/"):
        assert hidden not in shown


def test_a_reader_sees_numbers_plots_and_people(cast: Cast) -> None:
    make_pairs(cast.project, 5)
    for value in (-2, -1, 0, 1):
        answer(cast.ann, cast.project, value)
    answer(cast.bob, cast.project, None, both_bad=True)
    shown = page(cast.rita, f"/projects/{cast.project.slug}/")
    assert "5 of 5 tasks complete" in shown and "5 answers in the last 30 days" in shown
    assert shown.count("<svg class=") == 2 and "Import data" not in shown
    assert re.search(r'<th scope="row" class="break">ann</th>\s*<td class="num">4</td><td class="num">0</td>', shown)


def test_an_empty_project_says_what_to_do_next(cast: Cast) -> None:
    address = f"/projects/{cast.project.slug}/"
    assert "No pairs yet" in page(cast.mia, address) and f'href="{address}imports/"' in page(cast.mia, address)
    assert f'href="{address}imports/"' not in page(cast.vic, address)
    assert "Nothing to annotate yet" in page(cast.ann, address)


def test_no_page_has_an_inline_script_or_style(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer(cast.ann, cast.project)
    run = Run.objects.create(project=cast.project, method="import")
    run.lines.create(text="line")
    root = f"/projects/{cast.project.slug}/"
    places = ["/projects/", "/projects/new/", "/account/", "/account/tokens/", root, f"{root}settings/"]
    for path in [*places, f"{root}members/", f"{root}runs/", f"{root}runs/{run.pk}/"]:
        reply = browser(cast.ada).get(path)
        html = reply.content.decode()
        assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?![^>]*\bsrc=)", html), path
        assert "unsafe" not in reply["Content-Security-Policy"]


# --- New projects and settings ------------------------------------------------------------------------


def test_staff_make_a_project_on_its_page(cast: Cast) -> None:
    form = {"name": "Round two", "slug": "round-two", "preset": "pairwise-fine"}
    assert browser(cast.ada).post("/projects/new/", form)["Location"] == "/projects/round-two/"
    again = browser(cast.ada).post("/projects/new/", form)
    assert again.status_code == 422 and "Another project has this address" in again.content.decode()
    assert browser(cast.olga).post("/projects/new/", {**form, "slug": "x"}).status_code == 403


def test_settings_say_what_is_asked_and_lead_to_the_editor(cast: Cast) -> None:
    shown = page(cast.mia, f"/projects/{cast.project.slug}/settings/")
    assert "Which response is better?" in shown and f'href="/projects/{cast.project.slug}/protocol/"' in shown


def test_only_an_owner_who_types_the_address_removes_a_project(cast: Cast) -> None:
    address = f"/projects/{cast.project.slug}/settings/"
    right = {"action": "remove", "remove-slug": cast.project.slug}
    assert browser(cast.mia).post(address, right).status_code == 403
    assert browser(cast.olga).post(address, {**right, "remove-slug": "helpfulnes"}).status_code == 422
    assert browser(cast.olga).post(address, right)["Location"] == "/projects/"
    assert browser(cast.olga).get(address).status_code == 404


def test_more_answers_per_task_open_completed_tasks_again(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    first = answer(cast.ann, cast.project)
    assert left(cast.bob, cast.project) == 1
    projects.change_project(project=cast.project, overlap=2)
    assert Task.objects.get(pk=first).state == Task.State.OPEN
    assert (left(cast.ann, cast.project), left(cast.bob, cast.project)) == (1, 2)
    assert {answer(cast.bob, cast.project), answer(cast.bob, cast.project)} == set(
        Task.objects.values_list("pk", flat=True)
    )
    assert Task.objects.get(pk=first).state == Task.State.COMPLETE


def test_fewer_answers_per_task_complete_what_has_enough(cast: Cast) -> None:
    projects.change_project(project=cast.project, overlap=3)
    cast.project.refresh_from_db()
    make_pairs(cast.project, 2)
    answer(cast.ann, cast.project)
    projects.change_project(project=cast.project, overlap=1)
    assert overview.totals_of([cast.project])[cast.project.pk].complete == 1
    assert (left(cast.ann, cast.project), left(cast.bob, cast.project)) == (1, 1)
    assert sorted(Task.objects.values_list("state", flat=True)) == ["complete", "open"]


def test_a_task_with_an_overlap_of_its_own_keeps_it(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 2)
    queueing.set_overlap(tasks=Task.objects.filter(pk=tasks[0].pk), overlap=5)
    projects.change_project(project=cast.project, overlap=2)
    assert list(Task.objects.order_by("pk").values_list("overlap", flat=True)) == [5, 2]


def test_a_raised_task_comes_next_even_for_who_had_passed_it(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 4)
    assert answer(cast.ann, cast.project) == tasks[0].pk
    queueing.raise_priority(tasks=Task.objects.filter(pk=tasks[3].pk))
    assert answer(cast.ann, cast.project) == tasks[3].pk
    assert answer(cast.ann, cast.project) == tasks[1].pk


def test_a_priority_stops_at_its_bounds(cast: Cast) -> None:
    task = make_pairs(cast.project, 1)[0]
    for by, end in ((queueing.HIGHEST + 5, queueing.HIGHEST), (-3 * queueing.HIGHEST, -queueing.HIGHEST)):
        queueing.raise_priority(tasks=Task.objects.all(), by=by)
        task.refresh_from_db()
        assert (task.priority, task.position) == (end, -end * 2**42 + task.pk)


def test_retired_tasks_are_given_to_nobody_and_count_nowhere(cast: Cast) -> None:
    tasks = make_pairs(cast.project, 3)
    answer(cast.ann, cast.project)
    assert queueing.retire(tasks=Task.objects.filter(pk__in=[tasks[0].pk, tasks[1].pk])) == 1
    assert (left(cast.ann, cast.project), left(cast.bob, cast.project)) == (1, 1)
    assert Project.objects.get(pk=cast.project.pk).task_count == 2
    assert answer(cast.ann, cast.project) == tasks[2].pk
    assert queueing.reopen(tasks=Task.objects.all()) == 1
    assert left(cast.bob, cast.project) == 1 and answer(cast.ann, cast.project) == tasks[1].pk


# --- Plots --------------------------------------------------------------------------------------------


def test_outcomes_are_told_in_stored_order_whatever_was_shown(cast: Cast) -> None:
    make_pairs(cast.project, 12)
    annotator = annotator_for(cast.ann, cast.project)
    for _ in range(12):
        held = assigning.next_for(project=cast.project, annotator=annotator)
        assert held is not None
        judgement = annotating.Judgement("overall", -2 if held.order == "ab" else 2)
        commit = annotating.Commit(str(held.task_id))
        annotating.submit(
            desk=desk_of(cast.project, annotator), task_id=held.task_id, judgements=[judgement], commit=commit
        )
    counts = {outcome.label: outcome.count for outcome in overview.outcomes(cast.project, "overall")}
    assert counts["First much better"] == 12 and sum(counts.values()) == 12


def test_the_words_of_a_scale_fit_its_steps() -> None:
    assert [overview.how_much(steps, 3) for steps in (1, 2, 3)] == ["slightly better", "better", "much better"]
    assert [overview.how_much(steps, 2) for steps in (1, 2)] == ["better", "much better"]


def test_the_balance_is_drawn_around_the_middle_of_the_ties() -> None:
    counts = {"-2": 0, "-1": 10, "0": 20, "1": 40, "2": 0, "both_bad": 7, "skip": 3}
    drawn = plots.balance([overview.described(key, 2, count) for key, count in counts.items()])
    bars = [
        (cls, float(x), float(wide))
        for cls, x, wide in re.findall(r'class="(\S+)" x="(\S+)" y="8" width="(\S+)"', drawn)
    ]
    assert [bar[0] for bar in bars] == ["outcome--first-1", "outcome--tie", "outcome--second-1"]
    tie = bars[1]
    assert tie[1] + tie[2] / 2 == pytest.approx(500, abs=0.1)
    assert bars[2][1] + bars[2][2] == pytest.approx(1000, abs=0.1)
    assert "Both bad: 7; Skipped: 3." in drawn


@pytest.mark.parametrize(("most", "top"), [(0, 2), (2, 2), (3, 4), (5, 10), (11, 20), (275, 400), (999, 1000)])
def test_the_axis_of_days_ends_at_a_round_number(most: int, top: int) -> None:
    assert plots.nice_top(most) == top


def test_days_without_answers_are_told_as_such(cast: Cast) -> None:
    days = overview.per_day(cast.project)
    assert len(days) == 30 and days[-1][0] == timezone.now().date()
    assert "No answers in the last 30 days." in plots.per_day(days)


HARMS = [{"name": "privacy"}, {"name": "malware", "label": "Harmful code"}]
QUESTIONS = [
    {"name": "safe", "question": "Is it safe?"},
    {"name": "harm", "question": "Which harm?", "kind": "choices", "required": False, "options": HARMS},
    {"name": "step", "question": "Is it right?", "kind": "rating", "scope": "unit", "low": -1, "high": 1},
]
TYPES = {"on": True, "types": [{"name": "wrong", "label": "Wrong fact"}, {"name": "vague"}]}


def judging(cast: Cast, kind: str, count: int) -> None:
    """The project asks of each response, and each sentence of it, and there are `count` items."""
    asked = {"unit": "sentence", "critiques": TYPES, "questions": QUESTIONS}
    cast.project.kind = kind
    cast.project.protocol = Protocol.objects.create(project=cast.project, version=2, **asked)
    cast.project.save()
    texts = ["One. Two."] if kind == TaskKind.RESPONSE else ["One. Two.", "Other."]
    rows = [{"id": f"n{n}", "prompt": f"{n}?", "responses": [f"{n}: {text}" for text in texts]} for n in range(count)]
    run = importing.import_now(project=cast.project, user=None, path=file_of(rows))
    assert run.state == Run.State.SUCCEEDED, run.log
    cast.project.refresh_from_db()


def judge(cast: Cast, *types: str, safe: bool = True) -> None:
    desk = desk_of(cast.project, annotator_for(cast.ann, cast.project))
    task = assigning.next_shown(desk=desk)
    assert task is not None
    verdicts = [] if safe else [Judged("harm", ["privacy", "malware"])]
    for place, response in enumerate(task.responses):
        verdicts.append(Judged("safe", safe, place))
        verdicts += [Judged("step", 1, place, start=a, end=b) for a, b in units_in(response, "sentence")]
    ranks = range(1, len(task.responses) + 1) if task.kind == TaskKind.RANKING else ()
    more = Answer([Said(type=name, comment="So.") for name in types], verdicts, list(ranks))
    annotating.submit(desk=desk, task_id=task.task_id, commit=annotating.Commit(str(task.task_id)), more=more)


def counted(project: Project) -> dict[str, dict[str, int]]:
    return {counted.name: dict(counted.rows) for counted in overview.answers_to(project)}


def test_a_project_of_single_responses_tells_its_questions_and_critiques(cast: Cast) -> None:
    judging(cast, TaskKind.RESPONSE, 3)
    judge(cast, "wrong", "wrong")
    judge(cast, "vague", safe=False)
    judge(cast)
    told = counted(cast.project)
    assert told["safe"] == {"Yes": 2, "No": 1} and told["harm"] == {"privacy": 1, "Harmful code": 1}
    assert told["critique"] == {"Wrong fact": 2, "vague": 1} and told["step"] == {"-1": 0, "0": 0, "1": 6}
    assert overview.per_day(cast.project)[-1][1] == 3
    shown = page(cast.rita, f"/projects/{cast.project.slug}/")
    assert "Preferences" not in shown and "Which response is better?" not in shown
    assert "Is it safe?" in shown and "Critiques by type" in shown and "3 answers in the last 30 days" in shown
    assert re.search(r'class="break">Wrong fact</th>.*?2 · 67 %', shown)


def test_a_ranking_counts_once_a_day_whatever_it_holds(cast: Cast) -> None:
    judging(cast, TaskKind.RANKING, 2)
    judge(cast, "wrong", "wrong", "vague")
    assert overview.per_day(cast.project)[-1][1] == 1
    assert "Preferences" not in page(cast.rita, f"/projects/{cast.project.slug}/")


def test_pairs_with_critiques_are_counted_by_their_preferences(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer(cast.ann, cast.project)
    cast.project.protocol = Protocol.objects.create(project=cast.project, version=2, critiques=TYPES)
    cast.project.save()
    desk = desk_of(cast.project, annotator_for(cast.ann, cast.project))
    task = assigning.next_shown(desk=desk)
    assert task is not None
    critiques = [Said(response=place, type="wrong", comment="So.") for place in (0, 1, 1)]
    given, commit = [annotating.Judgement("overall", 1)], annotating.Commit("k")
    annotating.submit(desk=desk, task_id=task.task_id, judgements=given, commit=commit, more=Answer(critiques))
    assert overview.per_day(cast.project)[-1][1] == 2
    shown = page(cast.rita, f"/projects/{cast.project.slug}/")
    assert "Preferences" in shown and "Critiques by type" in shown


def test_answers_under_earlier_labels_are_told_under_the_present_ones(cast: Cast) -> None:
    judging(cast, TaskKind.RESPONSE, 1)
    judge(cast, "vague", safe=False)
    cast.project.protocol = Protocol.objects.create(
        project=cast.project,
        version=3,
        critiques={"on": True, "types": [{"name": "unclear"}]},
        questions=[{"name": "sound", "question": "Is it sound?"}, QUESTIONS[1] | {"options": [{"name": "leak"}]}],
        relabelled={
            "types": {"vague": "unclear"},
            "questions": {"safe": "sound"},
            "options": {"harm": {"privacy": "leak", "malware": None}},
        },
    )
    told = counted(cast.project)
    assert told == {"sound": {"Yes": 0, "No": 1}, "harm": {"leak": 1, "malware": 1}, "critique": {"unclear": 1}}


def test_a_question_may_have_an_option_called_skip(cast: Cast) -> None:
    annotator, day = annotator_for(cast.ann, cast.project), timezone.now().date()
    Tally.objects.create(project=cast.project, annotator=annotator, day=day, axis="harm", outcome="skip", count=1)
    assert {outcome.key: outcome.count for outcome in overview.outcomes(cast.project, "overall")}["skip"] == 0


# --- Runs and health ----------------------------------------------------------------------------------


def test_a_live_run_is_asked_for_every_second_and_an_ended_one_no_more(cast: Cast) -> None:
    run = Run.objects.create(project=cast.project, method="import", state=Run.State.RUNNING, done=5, total=10)
    address = f"/projects/{cast.project.slug}/runs/{run.pk}/"
    fragment = browser(cast.vic).get(address, HTTP_HX_REQUEST="true").content.decode()
    assert 'hx-trigger="every 1s"' in fragment and "50 %" in fragment and "<html" not in fragment
    assert "Cancel" not in fragment and "Cancel" in page(cast.mia, address)
    Run.objects.update(state=Run.State.FAILED, error="the disk is full")
    assert "hx-trigger" not in page(cast.mia, address) and "the disk is full" in page(cast.mia, address)


def test_a_queued_run_is_cancelled_and_tried_again_on_its_page(cast: Cast) -> None:
    run = Run.objects.create(project=cast.project, method="freeze")
    address = f"/projects/{cast.project.slug}/runs/{run.pk}/"
    assert "It waits for a worker" in page(cast.mia, address)
    for verb, state in (("cancel", "cancelled"), ("retry", "queued")):
        browser(cast.mia).post(f"{address}{verb}/")
        assert Run.objects.get(pk=run.pk).state == state
    told = browser(cast.mia).post(f"{address}retry/", follow=True).content.decode()
    assert "Only a failed or cancelled run can be tried again." in told


def test_a_run_is_not_shown_under_another_project(cast: Cast) -> None:
    other = projects.create_project(slug="other", name="Other", user=cast.olga)
    run = running.start(project=other, method="freeze", params={}, user=cast.olga)
    assert browser(cast.mia).get(f"/projects/{cast.project.slug}/runs/{run.pk}/").status_code == 404


def test_older_runs_stand_on_the_next_page(cast: Cast) -> None:
    now = timezone.now()
    Run.objects.bulk_create(
        Run(project=cast.project, method="import", created_at=now - timedelta(minutes=n)) for n in range(60)
    )
    client, address = browser(cast.vic), f"/projects/{cast.project.slug}/runs/"
    first = client.get(address).content.decode()
    older = re.search(r'href="(\?before=[^"]+)">Older', first)
    assert older is not None
    second = client.get(address + older[1].replace("&amp;", "&")).content.decode()
    assert first.count('<th scope="row"') == 50 and second.count('<th scope="row"') == 10
    assert client.get(f"{address}?before=nonsense").status_code == 200


def test_health_tells_the_database_and_the_worker_apart(db: None) -> None:
    assert Client().get("/healthz").json() == {"status": "ok"}
    ready = Client().get("/readyz")
    assert ready.status_code == 200 and ready.json()["worker"]["ok"] is False
    machines.report(machines.Self("cpu@test", ("cpu",)))
    assert Client().get("/readyz").json()["worker"]["ok"] is True


# --- Colours ------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


TEXT = [("ink", "ground"), ("ink", "surface-2"), ("ink-2", "ground"), ("ink-2", "surface"), ("ink-2", "surface-2")]
TEXT += [("accent-ink", "accent"), ("accent", "surface"), ("accent", "ground"), ("accent", "accent-soft")]
TEXT += [(name, f"{name}-soft") for name in ("good", "warn", "bad", "first", "second")]
EDGES = [("line-strong", "surface"), ("line-strong", "ground"), ("focus", "surface"), ("focus", "ground")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_edges_stand_out_enough(scheme: str) -> None:
    css = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
    light, dark = css.split("@media")[0], css.split("@media")[1].split("\n}\n")[0]
    names = dict(re.findall(r"--([\w-]+): (#\w{6})", light if scheme == "light" else dark))
    assert {
        pair: round(contrast(names[pair[0]], names[pair[1]]), 2)
        for pair in TEXT
        if contrast(names[pair[0]], names[pair[1]]) < 4.5
    } == {}
    assert {pair for pair in EDGES if contrast(names[pair[0]], names[pair[1]]) < 3} == set()


def test_both_ways_to_dark_have_the_same_colours() -> None:
    css = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
    by_system, by_choice = css.split("@media")[1].split('[data-theme="dark"]')
    assert re.findall(r"--[\w-]+: [^;]+", by_system) == re.findall(r"--[\w-]+: [^;]+", by_choice)


def test_a_cursor_starts_over_after_the_queue_was_moved(cast: Cast) -> None:
    make_pairs(cast.project, 2)
    answer(cast.ann, cast.project)
    progress = annotator_for(cast.ann, cast.project).progress
    assert progress.cursor > FRONT
    queueing.raise_priority(tasks=Task.objects.all())
    progress.refresh_from_db()
    assert progress.cursor == FRONT


def test_imported_votes_are_told_and_no_time_that_nobody_measured(cast: Cast) -> None:
    bring(cast.project, row("1", votes=[{"annotator": "w", "value": 1}]))
    shown = page(cast.olga, "/projects/helpfulness/")
    assert "What the 1 imported vote says stands under" in shown and "0 ms" not in shown
    assert "<dt>active time</dt>" not in shown and "Around the middle" not in shown
    answer(cast.ann, cast.project)
    shown = page(cast.olga, "/projects/helpfulness/")
    assert "<dt>active time</dt><dd>20 s</dd>" in shown and "Around the middle" in shown
