"""Pictures of a row: every form lands once, bad ones are refused by field, and only who may see tasks gets them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings

from curation.models import Image, Item, Pair, Project, Response, Run
from curation.rendering import conversation, markdown, parts
from curation.services import freezing, images, importing, running
from curation.services.importing import reading
from tests.cast import Cast, make_project
from tests.conftest import calling
from tests.imports import bring, bring_file, counts, file_of, in_order, refusals, row
from tests.pictures import b64, gif, jpeg, png, uri, webp
from tests.test_people import browser
from workers.images import header_of
from workers.rows import RowError

ONE, TWO, THREE = png(3, 2), png(4, 4), png(5, 1)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def asked(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def only(project: Project) -> Item:
    return Item.objects.get(project=project)


def files() -> list[str]:
    return sorted(path.name for path in (settings.VAR_DIR / "images").rglob("*") if path.is_file())


PARTS = {
    "openai": {"type": "image_url", "image_url": {"url": uri(ONE), "detail": "high"}},
    "responses api": {"type": "input_image", "image_url": uri(ONE)},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": b64(ONE)}},
    "hugging face": {"type": "image", "image": uri(ONE)},
    "another name for it": {"type": "image", "base64": b64(ONE)},
    "wrapped lines": {"type": "image", "image": uri(ONE)[:60] + "\n" + uri(ONE)[60:]},
    "called something else": {"type": "image", "image": uri(ONE, "image/jpeg")},
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_in_any_form_is_kept_by_its_hash(project: Project, name: str) -> None:
    given = row("q", prompt=asked(text("What is"), PARTS[name] | {"alt": "a dot"}, text("this?")))
    assert counts(bring(project, given)) == (1, 0, 0, 0)
    (message,) = only(project).prompt
    assert message["content"] == "What is\n\nthis?"
    small = {"type": "image", "image": sha(ONE), "alt": "a dot", "width": 3, "height": 2, "at": 7}
    assert message["images"] == [small]
    kept = Image.objects.get(project=project)
    assert (kept.sha256, kept.type, kept.bytes, kept.width, kept.height) == (sha(ONE), "image/png", len(ONE), 3, 2)
    assert images.path_of(kept.sha256).read_bytes() == ONE and files() == [sha(ONE)]


CONTEXTS: dict[str, Any] = {
    "data URI": uri(ONE),
    "image": {"image": uri(ONE), "alt": "a dot"},
    "url": {"url": uri(ONE)},
    "data": {"data": b64(ONE)},
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_pictures_of_the_context(project: Project, name: str) -> None:
    bring(project, row("q", context={"images": [CONTEXTS[name]], "reference": "r"}))
    found = only(project).context
    assert found["reference"] == "r" and found["images"][0]["image"] == sha(ONE)
    assert found["images"][0]["alt"] == ("a dot" if name == "image" else "")


def test_what_is_elsewhere_is_kept_as_its_address_and_never_asked_for(project: Project, monkeypatch: Any) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("somebody connects"))
    address = "https://example.org/a.png"
    given = row("q", prompt=asked(text("?"), {"type": "image_url", "image_url": {"url": address}, "alt": "there"}))
    bring(project, given | {"context": {"images": ["http://example.org/b.png"]}})
    (picture,) = only(project).prompt[0]["images"]
    assert picture == {"type": "image_url", "image_url": {"url": address}, "alt": "there", "at": 1}
    assert only(project).context["images"][0]["image_url"] == {"url": "http://example.org/b.png"}
    assert not Image.objects.exists() and not files()


RESPONSES: dict[str, list[Any]] = {
    "data URIs": [uri(ONE), uri(TWO)],
    "image": [{"image": uri(ONE), "model": "m"}, {"image": {"bytes": None, "url": uri(TWO)}}],
    "images": [{"images": [uri(ONE)]}, {"images": [uri(TWO), uri(THREE)]}],
    "messages": [{"messages": [{"role": "assistant", "content": [PARTS["openai"]]}]}, {"image": uri(TWO)}],
    "lists of messages": [[{"role": "assistant", "content": [PARTS["anthropic"]]}], uri(TWO)],
    "parts": [[PARTS["openai"]], [{"type": "image", "image": uri(TWO)}]],
}


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_may_be_pictures_alone(project: Project, name: str) -> None:
    bring(project, row("q", *RESPONSES[name]))
    first, second = Response.objects.order_by("position")
    assert first.text == second.text == "[image]" and first.text_hash != second.text_hash
    assert [one["image"] for one in first.messages[0]["images"]] == [sha(ONE)]
    assert second.as_messages()[0]["images"][0]["image"] == sha(TWO)
    assert Pair.objects.count() == 1


def test_the_description_is_the_text_of_a_response_without_words(project: Project) -> None:
    bring(project, row("q", {"image": {"image": uri(ONE), "alt": "A red dot."}}, {"text": "No.", "images": [uri(TWO)]}))
    first, second = Response.objects.order_by("position")
    assert first.text == "A red dot." and second.text == "No." and second.messages[0]["images"][0]["at"] == 3


def test_the_same_picture_twice_is_no_pair(project: Project) -> None:
    assert refusals(bring(project, row("q", uri(ONE), uri(ONE)))) == [(1, "responses", "are identical")]
    same_words = [{"text": "So.", "images": [uri(data)]} for data in (ONE, TWO)]
    assert counts(bring(project, row("r", *same_words))) == (1, 0, 0, 0)


def test_the_same_file_twice_changes_nothing_and_keeps_a_picture_once(project: Project) -> None:
    given = row("q", uri(ONE), {"text": "x", "images": [uri(ONE), uri(TWO)]}, prompt=asked(text("?"), PARTS["openai"]))
    assert counts(bring(project, given)) == (1, 0, 0, 0)
    before = [Path(images.path_of(name)).stat().st_mtime_ns for name in files()]
    assert counts(bring(project, given)) == (0, 0, 1, 0)
    assert files() == sorted([sha(ONE), sha(TWO)]) and Image.objects.count() == 2
    assert before == [Path(images.path_of(name)).stat().st_mtime_ns for name in files()]
    other = make_project("other")
    bring(other, given)
    assert Image.objects.filter(project=other).count() == 2 and len(files()) == 2


def test_a_changed_picture_is_another_response(project: Project) -> None:
    bring(project, row("q", {"text": "a", "images": [uri(ONE)]}, "b"))
    assert counts(bring(project, row("q", {"text": "a", "images": [uri(TWO)]}, "b"))) == (0, 1, 0, 0)
    assert Response.objects.filter(text="a").count() == 2
    in_order(project)


def parquet(name: str, columns: dict[str, Any]) -> Path:
    path: Path = settings.VAR_DIR / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_the_image_columns_of_datasets(project: Project) -> None:
    """TRL's shape of vision preferences: a part says that a picture is there, the column has it."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    part = pa.struct([("type", pa.string()), ("text", pa.string())])
    talk = pa.list_(pa.struct([("role", pa.string()), ("content", pa.list_(part))]))

    def said(role: str, *words: str | None) -> list[dict[str, Any]]:
        parts = [{"type": "text" if word else "image", "text": word} for word in words]
        return [{"role": role, "content": parts}]

    path = parquet(
        "vision.parquet",
        {
            "images": pa.array([[{"bytes": one, "path": None} for one in (ONE, TWO)]], pa.list_(image)),
            "prompt": pa.array([said("user", None, "What?")], talk),
            "chosen": pa.array([said("assistant", "A dot.")], talk),
            "rejected": pa.array([said("assistant", "A cat.")], talk),
        },
    )
    assert counts(bring_file(project, path)) == (1, 0, 0, 0)
    item = only(project)
    assert item.prompt[0]["content"] == "What?" and item.prompt[0]["images"][0]["image"] == sha(ONE)
    assert item.prompt[0]["images"][0]["at"] == 0
    assert [one["image"] for one in item.context["images"]] == [sha(TWO)], "nobody waited for the second"
    assert "images" not in item.metadata


def test_responses_in_columns_of_bytes(project: Project) -> None:
    """The shape of sets of text-to-image preferences."""
    path = parquet("pick.parquet", {"caption": ["a dot"], "jpg_0": [ONE], "jpg_1": [TWO]})
    bring_file(project, path, mapping={"prompt": "caption", "response_a": "jpg_0", "response_b": "jpg_1"})
    assert {one.messages[0]["images"][0]["image"] for one in Response.objects.all()} == {sha(ONE), sha(TWO)}


def test_a_column_that_holds_no_picture_is_metadata(project: Project) -> None:
    bring(project, {"prompt": "?", "chosen": "a", "rejected": "b", "image": "figure 3", "images": 4})
    assert only(project).metadata["image"] == "figure 3" and only(project).metadata["images"] == 4


SIZES = {
    "image/png": png(7, 5),
    "image/gif": gif(7, 5),
    "image/jpeg": jpeg(7, 5),
    "image/webp": webp(7, 5),
}


@pytest.mark.parametrize("kind", SIZES)
def test_type_and_size_are_read_from_the_bytes(kind: str) -> None:
    assert header_of(SIZES[kind], "") == (kind, 7, 5)
    for end in range(len(SIZES[kind])):
        with pytest.raises(RowError):
            header_of(SIZES[kind][:end], "")


def test_the_forms_of_webp_and_cameras_held_sideways() -> None:
    for kind in (b"VP8X", b"VP8L", b"VP8 "):
        assert header_of(webp(7, 5, kind), "")[1:] == (7, 5)
    assert [header_of(jpeg(7, 5, n), "")[1:] for n in (1, 3, 6, 8)] == [(7, 5), (7, 5), (5, 7), (5, 7)]


BAD: dict[str, tuple[Any, str, str]] = {
    "an SVG": (uri(b"<svg/>", "image/svg+xml"), "", "is no PNG, JPEG, GIF or WebP picture"),
    "a text": (uri(b"hello"), "", "is no PNG, JPEG, GIF or WebP picture"),
    "nothing": ("data:image/png;base64,", "", "is no PNG, JPEG, GIF or WebP picture"),
    "no base64": ("data:image/png;base64,%%%", "", "is no base64"),
    "percent signs": ("data:image/png,%89PNG", "", "is a data URI without base64"),
    "cut short": (uri(ONE[:-9]), "", "is a picture cut short"),
    "too many pixels": (uri(png(1, 1).replace(b"\0\0\0\1\0\0\0\1", b"\0\0\x80\0\0\0\x80\0")), "", "has 32768 × 32768"),
    "no pixels": (uri(png(1, 1).replace(b"\0\0\0\1\0\0\0\1", b"\0\0\0\0\0\0\0\1")), "", "without width or height"),
    "a file's name": ({"bytes": None, "path": "cat.png"}, ".path", "is the name of a file, without its bytes"),
    "a hash": (sha(ONE), "", "is the hash of a picture"),
    "a number": (7, "", "must be a data URI, an address, bytes"),
    "an empty object": ({}, "", "has no picture, and the row has none left for it"),
    "a description of another kind": ({"url": uri(ONE), "alt": 7}, "", "must be text"),
    "a javascript": ("javascript:alert(1)", "", "is no data URI, address or base64"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused_by_its_field_and_the_others_land(project: Project, name: str) -> None:
    value, field, reason = BAD[name]
    if name == "a description of another kind":
        part = {"type": "image", **value}
        field = ".alt"
    else:
        part = {"type": "image", "image": value}
        field = "" if name == "an empty object" else f".image{field}"
    result = bring(project, row("bad", prompt=asked(text("?"), part)), row("good", uri(ONE), uri(TWO)))
    assert counts(result) == (1, 0, 0, 1)
    ((line, where, why),) = refusals(result)
    assert (line, where) == (1, f"prompt.0.content.1{field}") and reason in why
    assert files() == sorted([sha(ONE), sha(TWO)])


def test_limits_and_unknown_parts(project: Project, settings: Any) -> None:
    many = row("many", context={"images": [uri(ONE)] * 21})
    audio = row("audio", prompt=asked({"type": "input_audio", "input_audio": {}}))
    assert refusals(bring(project, many, audio)) == [
        (1, "context.images.20", "is picture 21 of its row; at most 20"),
        (2, "prompt.0.content.0.type", "must be text, input_text, output_text, image, image_url, input_image, "
                                       "not 'input_audio'"),
    ]  # fmt: skip
    settings.IMAGE_MB = 0
    assert refusals(bring(project, row("big", {"image": uri(ONE)}, "b"))) == [
        (1, "responses.0.image", "has 0.0 MB; at most 0")
    ]
    assert not files() and not Image.objects.exists()


def test_a_preview_reads_pictures_and_keeps_none(project: Project) -> None:
    seen = importing.preview(path=file_of([row("q", uri(ONE), uri(TWO)), row("r", uri(b"x"), "b")]))
    assert len(seen.rows) == 1 and seen.problems[0]["field"] == "responses.0" and not files()


def test_a_killed_import_goes_on_and_leaves_no_half_picture(project: Project, monkeypatch: Any) -> None:
    path = file_of([row(str(n), {"text": "a", "images": [uri(png(n + 1))]}, "b") for n in range(6)])
    monkeypatch.setattr(reading, "BATCH", 2)
    real, done = os.replace, []

    def dies(source: Any, target: Any) -> None:
        if "images" in str(target):
            if len(done) == 3:
                raise KeyboardInterrupt
            done.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        importing.import_now(project=project, user=None, path=path)
    assert len(files()) == 3, "whole pictures only"
    monkeypatch.setattr(os, "replace", real)
    run = Run.objects.get()
    Run.objects.filter(pk=run.pk).update(state="queued", holder="", attempts=0)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded" and Image.objects.count() == len(files()) == 6
    in_order(project)


def test_who_may_see_tasks_gets_the_picture_and_nobody_else(cast: Cast) -> None:
    bring(cast.project, row("q", uri(ONE), "b"))
    address = f"/projects/{cast.project.slug}/images/{sha(ONE)}"
    answer = browser(cast.ann).get(address)
    assert b"".join(answer.streaming_content) == ONE and answer["Content-Type"] == "image/png"  # type: ignore[arg-type]
    assert answer["X-Content-Type-Options"] == "nosniff" and answer["Content-Length"] == str(len(ONE))
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert browser(cast.ann).get(address, HTTP_IF_NONE_MATCH=answer["ETag"]).status_code == 304
    assert browser(cast.zed).get(address).status_code == 404
    for unknown in (sha(TWO), "x", "..%2f..%2fsecret-key", sha(ONE).upper()):
        assert browser(cast.ann).get(f"/projects/{cast.project.slug}/images/{unknown}").status_code == 404
    other = make_project("other")
    assert browser(cast.ada).get(f"/projects/{other.slug}/images/{sha(ONE)}").status_code == 404, "a hash is no key"


def test_pictures_stand_where_they_stood_and_places_are_of_the_whole_text() -> None:
    message = {
        "role": "user",
        "content": "Look *here*\n\nand `there` &amp;",
        "images": [
            {"type": "image", "image": sha(ONE), "alt": "", "width": 3, "height": 2, "at": 11},
            {"type": "image_url", "image_url": {"url": "https://example.org/"}, "alt": "x", "at": 11},
            {"type": "image", "image": sha(TWO), "alt": "", "width": 4, "height": 4, "at": 30},
        ],
    }
    first, second = parts(message)
    assert [picture.sha256 for picture in first.pictures] == [sha(ONE), ""] and second.pictures[0].at == 30
    assert first.html == markdown("Look *here*")
    assert '<code data-o="18">there</code>' in second.html and 'data-o="25" data-l="5"' in second.html
    (turn,) = conversation([message])
    assert turn.html == markdown(message["content"]) and len(turn.pictures) == 3 and not turn.alone


def test_the_screen_shows_pictures_without_what_a_policy_would_stop(cast: Cast) -> None:
    hostile = '"><script>alert(1)</script>'
    link = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}, "alt": hostile}
    given = row("q", {"image": {"image": uri(ONE), "alt": hostile}}, "b", prompt=asked(text("Look"), link))
    bring(cast.project, given | {"context": {"images": [uri(TWO)]}})
    page = browser(cast.ann).get(f"/projects/{cast.project.slug}/annotate/").content.decode()
    assert hostile not in page and "<script>alert" not in page
    assert f'src="/projects/{cast.project.slug}/images/{sha(ONE)}" width="3" height="2"' in page
    assert sha(TWO) in page and 'src="https:' not in page and 'href="https://example.org/a.png"' in page


def test_a_picture_in_markdown_is_no_wall_of_base64() -> None:
    made = markdown(f"![]({uri(ONE)}) ![a dot]({uri(ONE)})")
    assert "[image]" in made and "[image: a dot]" in made and b64(ONE) not in made


def test_exports_name_the_picture_and_a_program_can_fetch_it(cast: Cast) -> None:
    project = cast.project
    asks = {"prompt": asked(text("?"), PARTS["openai"]), "chosen": uri(TWO), "rejected": "b"}
    bring(project, asks)
    version = freezing.request_version(project=project, dataset_name="seen", user=cast.olga)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    (made,) = (orjson.loads(line) for line in (version.folder / "train.jsonl").read_bytes().splitlines())
    assert made["prompt"][0]["content"] == "?" and made["prompt"][0]["images"][0]["image"] == sha(ONE)
    assert made["chosen"][0]["content"] == "[image]" and made["chosen"][0]["images"][0]["image"] == sha(TWO)
    table = pq.read_table(version.folder / "train.parquet").to_pylist()
    assert table[0]["chosen"] == [{"role": "assistant", "content": "[image]"}]
    answer = calling(cast.sol).get(f"/api/v1/projects/{project.slug}/images/{sha(TWO)}")
    assert b"".join(answer.streaming_content) == TWO  # type: ignore[attr-defined]
    assert calling(cast.zed).get(f"/api/v1/projects/{project.slug}/images/{sha(TWO)}").status_code == 404
