"""Writes the exports of `tests/exports/label_studio/` with label-studio 1.23.2 itself: `python make_label_studio.py`.

In an environment of its own (`pip install label-studio==1.23.2`). Its Django application makes projects in a fresh
SQLite file and is asked over its own API: `/api/projects/N/export` is what the button *Export* downloads,
`/api/projects/N/exports` a snapshot, with predictions and e-mail addresses, `/api/projects/N` the settings with the
labelling configuration. Results are as its front end sends them, offsets in UTF-16 code units, and checked by its
`LabelInterface`. The texts are invented.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "label_studio"
HOME = tempfile.mkdtemp()
os.environ |= {
    "BASE_DATA_DIR": HOME,
    "LABEL_STUDIO_BASE_DATA_DIR": HOME,
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
}
os.environ["LATEST_VERSION_CHECK"] = "false"
os.environ["DJANGO_SETTINGS_MODULE"] = "label_studio.core.settings.label_studio"
sys.path.insert(0, str(Path(find_spec("label_studio").origin).parent))  # type: ignore[union-attr, arg-type]

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from label_studio_sdk.label_interface import LabelInterface  # noqa: E402
from organizations.models import Organization  # noqa: E402
from projects.models import Project  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402
from tasks.models import Annotation, AnnotationDraft, Prediction, Task  # noqa: E402
from users.models import User  # noqa: E402

Result = dict[str, Any]
ULM = "👩‍🚀 Ulm lies on the Danube 🌊 and has 2 million people. Ulm!"


def utf16(text: str, quote: str, nth: int = 0) -> dict[str, Any]:
    """The place of a quote as a browser counts it."""
    at = -1
    for _ in range(nth + 1):
        at = text.index(quote, at + 1)
    start = len(text[:at].encode("utf-16-le")) // 2
    return {"start": start, "end": start + len(quote.encode("utf-16-le")) // 2, "text": quote}


def result(control: str, to: str, kind: str, value: dict[str, Any], id: str = "", **more: Any) -> Result:
    return {"id": id or f"{control}1", "from_name": control, "to_name": to, "type": kind, "value": value, **more}


class Made:
    """A project with its people."""

    def __init__(self, name: str, config: str, *tasks: dict[str, Any]) -> None:
        self.name = name
        self.interface = LabelInterface(config)
        self.ann, self.bob = (person(f"{name}@example.org") for name in ("ann", "bob"))
        organization = Organization.objects.first() or Organization.create_organization(created_by=self.ann, title="o")
        for user in (self.ann, self.bob):
            organization.add_user(user)
            user.active_organization = organization
            user.save()
        self.project = Project.objects.create(
            title=name,
            label_config=config,
            organization=organization,
            created_by=self.ann,
            expert_instruction="<p>Mark <b>errors</b>.</p>",
        )
        self.tasks = [Task.objects.create(project=self.project, data=data) for data in tasks]

    def say(self, task: int, who: User, *results: Result, **more: Any) -> None:
        self.check(results)
        Annotation.objects.create(
            task=self.tasks[task], project=self.project, completed_by=who, result=list(results), lead_time=12.5, **more
        )

    def check(self, results: tuple[Result, ...]) -> None:
        """All but `pairwise`, of which `LabelInterface` knows neither the two names nor the sides."""
        known = [one for one in results if one["type"] != "pairwise"]
        assert self.interface.validate_annotation({"result": known}), known

    def predict(self, task: int, model: str, score: float, *results: Result) -> None:
        self.check(results)
        Prediction.objects.create(
            task=self.tasks[task], project=self.project, model_version=model, score=score, result=list(results)
        )

    def export(self, *, snapshot: bool = False) -> None:
        """The tasks, and beside them the project as the API tells it."""
        client = APIClient()
        client.force_authenticate(self.ann)
        client.force_login(self.ann)
        here = f"/api/projects/{self.project.pk}"
        if snapshot:
            options = {
                "predictions": {"only_id": False},
                "drafts": {"only_id": False},
                "annotations__completed_by": {"only_id": False},
            }
            made = client.post(f"{here}/exports/", {"serialization_options": options}, format="json")
            answer = client.get(f"{here}/exports/{made.json()['id']}/download?exportType=JSON")
        else:
            answer = client.get(f"{here}/export?exportType=JSON&download_all_tasks=true")
        folder = HERE / self.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tasks = json.loads(b"".join(answer.streaming_content))
        (folder / "export.json").write_text(json.dumps(tasks, ensure_ascii=False, indent=1))
        told = client.get(here).json()
        kept = {name: told[name] for name in ("id", "title", "label_config", "expert_instruction")}
        (folder / "project.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1))


def person(email: str) -> User:
    return User.objects.filter(email=email).first() or User.objects.create_user(email=email, password="x" * 12)


CRITIQUE = """
<View>
  <Header value="Read it"/>
  <Text name="q" value="$question"/>
  <Text name="a" value="$answer"/>
  <Labels name="errors" toName="a">
    <Label value="Wrong fact" background="#d32f2f" hotkey="f"/>
    <Label value="Style" alias="style" background="#1976d2"/>
  </Labels>
  <Choices name="severity" toName="a" perRegion="true"><Choice value="minor"/><Choice value="major"/></Choices>
  <Choices name="surely" toName="a" perRegion="true"><Choice value="sure"/><Choice value="guess"/></Choices>
  <TextArea name="comment" toName="a" perRegion="true"/>
  <Choices name="correct" toName="a" choice="single" required="true"><Choice value="yes"/><Choice value="no"/></Choices>
  <Choices name="tone" toName="a" choice="multiple"><Choice value="dry"/><Choice value="warm"/></Choices>
  <Rating name="stars" toName="a" maxRating="4"/>
  <Taxonomy name="kind" toName="a">
    <Choice value="Geo"><Choice value="Towns"/><Choice value="Rivers"/></Choice>
  </Taxonomy>
  <Number name="doubts" toName="a"/>
  <TextArea name="better" toName="a"/>
  <Relations><Relation value="because"/></Relations>
</View>
"""


def critique() -> None:
    """Regions with choices and words of their own, and questions about the whole; a skip, a draft, a prediction."""
    made = Made(
        "critique",
        CRITIQUE,
        {"question": "Where is Ulm?", "answer": ULM, "lot": 7},
        {"question": "1 + 1?", "answer": "2"},
    )
    wrong, waves = utf16(ULM, "2 million"), utf16(ULM, "🌊")
    made.say(
        0,
        made.ann,
        result("errors", "a", "labels", wrong | {"labels": ["Wrong fact"]}, "r1"),
        result("severity", "a", "choices", wrong | {"choices": ["major"]}, "r1"),
        result("surely", "a", "choices", wrong | {"choices": ["guess"]}, "r1"),
        result("comment", "a", "textarea", wrong | {"text": ["Some 130 000."]}, "r1"),
        result("errors", "a", "labels", waves | {"labels": ["style", "Wrong fact"]}, "r2"),
        result("errors", "a", "labels", utf16(ULM, "Ulm", 1) | {"labels": ["style"]}, "r3"),
        {"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right", "labels": ["because"]},
        result("correct", "a", "choices", {"choices": ["no"]}),
        result("tone", "a", "choices", {"choices": ["dry", "warm"]}),
        result("stars", "a", "rating", {"rating": 3}),
        result("kind", "a", "taxonomy", {"taxonomy": [["Geo", "Towns"], ["Geo"]]}),
        result("doubts", "a", "number", {"number": 2}),
        result("better", "a", "textarea", {"text": ["Ulm lies on the Danube.", "It has a minster."]}),
    )
    made.say(0, made.bob, result("correct", "a", "choices", {"choices": ["yes"]}))
    made.say(1, made.ann, was_cancelled=True)
    made.say(1, made.bob, result("correct", "a", "choices", {"choices": ["yes"]}))
    made.say(1, made.bob, result("correct", "a", "choices", {"choices": ["no"]}))
    made.predict(0, "critic-2", 0.75, result("errors", "a", "labels", waves | {"labels": ["style"]}, "p1"))
    AnnotationDraft.objects.create(
        task=made.tasks[1], user=made.ann, result=[result("stars", "a", "rating", {"rating": 1})]
    )
    made.export(snapshot=True)


PAIRS = """
<View>
  <Text name="prompt" value="$prompt"/>
  <Text name="answer1" value="$first_answer"/>
  <Text name="answer2" value="$second_answer"/>
  <Pairwise name="better" toName="answer1,answer2"/>
  <Choices name="how_much" toName="prompt">
    <Choice value="A much better"/><Choice value="A better"/><Choice value="Tie"/>
    <Choice value="B better"/><Choice value="B much better"/>
  </Choices>
  <Rating name="quality_answer1" toName="answer1"/>
  <Rating name="quality_answer2" toName="answer2"/>
  <TextArea name="reason" toName="prompt"/>
  <Choices name="lang" toName="prompt"><Choice value="de"/><Choice value="en"/></Choices>
</View>
"""


def pairs() -> None:
    """Pairwise, a graded choice, a rating of each side, a reason, and a choice about the prompt; the plain export."""
    made = Made(
        "pairs",
        PAIRS,
        {
            "prompt": "Why is the sky blue?",
            "first_answer": "Air scatters blue light.",
            "second_answer": "It mirrors the sea.",
        },
        {"prompt": "Say hello.", "first_answer": "Hello!", "second_answer": "Hi 👋"},
    )
    made.say(
        0,
        made.ann,
        result("better", "answer1,answer2", "pairwise", {"selected": "left"}),
        result("how_much", "prompt", "choices", {"choices": ["A much better"]}),
        result("quality_answer1", "answer1", "rating", {"rating": 5}),
        result("quality_answer2", "answer2", "rating", {"rating": 1}),
        result("reason", "prompt", "textarea", {"text": ["The sea is not why."]}),
        result("lang", "prompt", "choices", {"choices": ["en"]}),
    )
    made.say(1, made.bob, result("how_much", "prompt", "choices", {"choices": ["Tie"]}))
    made.predict(1, "judge", 0.6, result("better", "answer1,answer2", "pairwise", {"selected": "right"}))
    made.export()


HTML = "<h1>Ulm 🌊</h1><p>It lies on the <b>Danube</b>.<br/>Tom &amp; I   saw it.</p><p>The end.</p>"


def html() -> None:
    """Labels on HTML; `globalOffsets` count the text of the page without its tags."""
    made = Made(
        "html",
        '<View><HyperText name="page" value="$html"/><HyperTextLabels name="mark" toName="page"><Label value="Good"/>'
        '<Label value="Bad"/></HyperTextLabels></View>',
        {"html": HTML},
    )
    plain = "Ulm 🌊It lies on the Danube.Tom & I   saw it.The end."
    regions = []
    for n, (quote, label, xpath) in enumerate(
        (
            ("Danube", "Good", "/p[1]/b[1]/text()[1]"),
            ("Tom & I   saw", "Bad", "/p[1]/text()[3]"),
            ("🌊", "Good", "/h1[1]/text()[1]"),
        )
    ):
        place = utf16(plain, quote)
        value = {
            "start": xpath,
            "end": xpath,
            "startOffset": 0,
            "endOffset": len(quote),
            "globalOffsets": {"start": place["start"], "end": place["end"]},
            "text": quote,
            "hypertextlabels": [label],
        }
        regions.append(result("mark", "page", "hypertextlabels", value, f"h{n}"))
    made.say(0, made.ann, *regions)
    made.export()


def dialogue() -> None:
    """Labels on the turns of a dialogue, within one and across two."""
    made = Made(
        "dialogue",
        '<View><Paragraphs name="talk" value="$turns" nameKey="who" textKey="said" layout="dialogue"/><ParagraphLabels '
        'name="mark" toName="talk"><Label value="Rude"/><Label value="Kind"/></ParagraphLabels><Choices name="solved" '
        'toName="talk"><Choice value="yes"/><Choice value="no"/></Choices></View>',
        {"turns": [{"who": "Guest", "said": "Good 🌞 day!"}, {"who": "Host", "said": "What do you want?"}]},
    )
    inside = {
        "start": "1",
        "end": "1",
        "startOffset": 0,
        "endOffset": 16,
        "text": "What do you want",
        "paragraphlabels": ["Rude"],
    }
    across = {
        "start": "0",
        "end": "1",
        "startOffset": 8,
        "endOffset": 4,
        "text": "day!\n\nWhat",
        "paragraphlabels": ["Kind"],
    }
    made.say(
        0,
        made.ann,
        result("mark", "talk", "paragraphlabels", inside, "d1"),
        result("mark", "talk", "paragraphlabels", across, "d2"),
        result("solved", "talk", "choices", {"choices": ["no"]}),
    )
    made.export()


def ranker() -> None:
    """A list of answers in an order."""
    made = Made(
        "ranker",
        '<View><Text name="prompt" value="$prompt"/><List name="answers" value="$items" title="Answers"/>'
        '<Ranker name="rank" toName="answers"/></View>',
        {
            "prompt": "Name a prime.",
            "items": [
                {"id": "x", "title": "m1", "body": "Seven."},
                {"id": "y", "title": "m2", "body": "Nine."},
                {"id": "z", "body": "Two?"},
            ],
        },
    )
    made.say(0, made.ann, result("rank", "answers", "ranker", {"ranker": {"rank": ["z", "x", "y"]}}))
    made.export()


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    critique()
    pairs()
    html()
    dialogue()
    ranker()
    shutil.rmtree(HOME)
