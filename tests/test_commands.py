"""The commands of manage.py: what they print when all is well, and what they say when it is not."""

from __future__ import annotations

import getpass
from collections import namedtuple
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from curation import address
from curation.models import ApiToken, DatasetVersion, Item, Project, Role, Run, SignInLink, User, Worker
from curation.services import machines, people
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.imports import file_of, in_order, row
from tests.test_freezing import answer_all
from tests.test_people import browser, signed_in


def ran(*words: str, **options: Any) -> tuple[str, str]:
    """What a command wrote to standard output and to standard error."""
    out, err = StringIO(), StringIO()
    call_command(*words, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def refused(*words: str) -> str:
    """What a command that gives up says."""
    with pytest.raises(CommandError) as told:
        ran(*words)
    return str(told.value)


# --- create_project -----------------------------------------------------------------------------------


def test_create_project_makes_one_that_the_first_superuser_owns(cast: Cast) -> None:
    assert ran("create_project", "round-two")[0] == "made round-two, owned by ada\n"
    made = Project.objects.get(slug="round-two")
    assert made.name == "Round two" and made.memberships.get().user == cast.ada
    assert made.protocol is not None and made.protocol.strengths == 2


def test_create_project_takes_a_name_a_preset_and_an_owner(cast: Cast) -> None:
    ran("create_project", "x", "--name", "X y", "--preset", "pairwise-fine", "--owner", "mia", "--description", "why")
    made = Project.objects.get(slug="x")
    assert (made.name, made.description, made.memberships.get().role) == ("X y", "why", Role.OWNER)
    assert made.protocol is not None and made.protocol.strengths == 3 and made.memberships.get().user == cast.mia


def test_create_project_brings_the_sample(cast: Cast) -> None:
    said = ran("create_project", "sample", "--sample")[0]
    made = Project.objects.get(slug="sample")
    assert f"imported {made.item_count} items" in said and made.item_count >= 10
    in_order(made)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["helpfulness"], "slug: another project has this address"),
        (["with space"], "slug: use letters, digits, hyphens and underscores"),
        (["new"], "slug: choose another address"),
        (["x", "--owner", "nobody"], "no active user nobody; make one with: manage.py create_user nobody"),
        (["x", "--preset", "none"], "invalid choice: 'none'"),
    ],
)
def test_create_project_says_what_is_wrong(cast: Cast, words: list[str], said: str) -> None:
    assert said in refused("create_project", *words) and Project.objects.count() == 1


def test_create_project_without_a_superuser_says_how_to_make_one(db: None) -> None:
    said = refused("create_project", "x")
    assert said == "no superuser yet; make one with: manage.py create_user admin --superuser"


# --- import_data --------------------------------------------------------------------------------------


def test_import_data_prints_what_landed_and_what_did_not(cast: Cast) -> None:
    path = file_of([row("1"), b"oops", row("2", "A", "A")])
    said, _ = ran("import_data", cast.project.slug, str(path))
    first, *others = said.splitlines()
    assert first == "format touchstone: 1 created, 0 updated, 0 unchanged, 2 rejected, 0 votes, 1 tasks"
    assert others[0].startswith("  line 2: is not JSON") and others[1] == "  line 3: responses are identical"
    assert path.exists() and "1 unchanged" in ran("import_data", cast.project.slug, str(path))[0]


def test_import_data_maps_columns_and_names_formats_and_pairings(cast: Cast) -> None:
    sheet = file_of([b"frage,x,y", b"Warum?,A,B"], "sheet.csv")
    mapping = ["--map", "prompt=frage", "response_a=x", "response_b=y"]
    assert "format columns: 1 created" in ran("import_data", cast.project.slug, str(sheet), *mapping)[0]
    many = file_of([row("1", *"ABCDE")])
    assert "10 tasks" in ran("import_data", cast.project.slug, str(many), "--pairing", "all")[0]
    assert Run.objects.order_by("created_at")[0].params["filename"] == "sheet.csv"


def test_import_data_reads_a_companion(cast: Cast) -> None:
    rows = file_of([{"id": "1", "topic": "tea", "response_a": "a1", "response_b": "a2"}])
    texts = file_of([{"arg": "a1", "text": "A"}, {"arg": "a2", "text": "B"}], "texts.jsonl")
    assert "1 created" in ran("import_data", cast.project.slug, str(rows), "--companion", str(texts))[0]


def test_import_data_shows_the_first_twenty_problems(cast: Cast) -> None:
    said, _ = ran("import_data", cast.project.slug, str(file_of([row("1"), *[b"oops"] * 25])))
    assert said.count("  line ") == 20 and said.endswith("  … and 5 more\n")


def test_a_file_name_that_is_no_text_can_still_be_imported(cast: Cast) -> None:
    path = file_of([row("1")])
    odd = path.rename(path.with_name(b"pairs-\xff.jsonl".decode("utf-8", "surrogateescape")))
    assert "1 created" in ran("import_data", cast.project.slug, str(odd))[0]
    assert Run.objects.get().params["filename"] == "pairs-?.jsonl"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "parchment"], "format: no format 'parchment'; there is: alpaca-eval"),
        (["--format", "convarg"], "companion: the format convarg needs its companion file"),
        (["--map", "frage"], "mapping: wants ROLE=COLUMN, such as prompt=question, not 'frage'"),
        (["--map", "mood=x"], "mapping: 'mood' is no role of a column"),
        (["--map", "prompt=frage"], "mapping: no column 'frage'; there is: id, prompt, responses"),
        (["--companion", "nowhere.jsonl"], "no such file: nowhere.jsonl"),
        (["--pairing", "some"], "invalid choice: 'some'"),
    ],
)
def test_import_data_says_what_is_wrong(cast: Cast, options: list[str], said: str) -> None:
    assert said in refused("import_data", cast.project.slug, str(file_of([row("1")])), *options)
    assert not Item.objects.exists() and not Run.objects.exists()


def test_import_data_ends_in_an_error_when_nothing_landed(cast: Cast) -> None:
    assert refused("import_data", cast.project.slug, str(file_of([b"a", b"b"]))) == "nothing landed"
    assert refused("import_data", cast.project.slug, str(file_of([b""]))).startswith("file: the file has no rows")


def test_import_data_knows_no_other_project_or_file(cast: Cast, tmp_path: Path) -> None:
    said = refused("import_data", "none", str(file_of([row("1")])))
    assert said == "no project none; make one with: manage.py create_project none"
    assert refused("import_data", cast.project.slug, str(tmp_path / "no.jsonl")).startswith("no such file: ")
    assert refused("import_data", cast.project.slug, str(tmp_path)).startswith("no such file: ")


# --- export -------------------------------------------------------------------------------------------


def test_export_makes_a_version_and_prints_its_files(cast: Cast) -> None:
    make_pairs(cast.project, 4)
    answer_all(cast, "ann", -1, 2, 0)
    said, _ = ran("export", cast.project.slug, "prefs")
    version = DatasetVersion.objects.get()
    assert "{'train': 2} rows, dropped {'tie': 1, 'not answered': 1}" in said.splitlines()[0]
    file = version.files.get(name="train.jsonl")
    assert f"  {version.folder / 'train.jsonl'}  2 rows  sha256 {file.sha256}\n" in said
    assert len((version.folder / "train.jsonl").read_bytes().splitlines()) == 2


def test_export_takes_a_target_splits_a_seed_and_filters(cast: Cast) -> None:
    make_pairs(cast.project, 8)
    answer_all(cast, "ann", *[-1] * 8)
    options = ["--target", "trl-preference-implicit", "--seed", "3", "--filter", "min_annotations=1", "annotators=all"]
    ran("export", cast.project.slug, "prefs", "--split", "train=0.5", "test=0.5", *options)
    version = DatasetVersion.objects.get()
    assert version.target == "trl-preference-implicit" and sum(version.counts["rows"].values()) == 8
    assert set(version.counts["rows"]) == {"train", "test"}
    first = orjson.loads((version.folder / "train.jsonl").read_bytes().splitlines()[0])
    assert "prompt" not in first and first["chosen"][0]["role"] == "user"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none", "prefs"], "no project none"),
        (["helpfulness", "not a name"], "name "),
        (["helpfulness", "prefs", "--split", "train"], "--split wants NAME=SHARE and --filter FIELD=VALUE"),
        (["helpfulness", "prefs", "--split", "train=most"], "--split wants NAME=SHARE and --filter FIELD=VALUE"),
        (["helpfulness", "prefs", "--split", "train=0.9", "test=0.2"], "splits "),
        (["helpfulness", "prefs", "--filter", "mood=good"], "filters.mood "),
        (["helpfulness", "prefs", "--target", "parchment"], "invalid choice: 'parchment'"),
    ],
)
def test_export_says_what_is_wrong(cast: Cast, words: list[str], said: str) -> None:
    assert said in refused("export", *words) and not DatasetVersion.objects.exists()


# --- People -------------------------------------------------------------------------------------------


def link_in(said: str) -> str:
    """The path of the sign-in link that a command printed."""
    return "/sign-in/" + said.split("/sign-in/")[1].strip()


def test_create_user_prints_a_link_that_signs_in_once(db: None) -> None:
    said, _ = ran(
        "create_user", "kim", "--display-name", "Kim K", "--email", "k@example.org", "--url", "https://t.org/"
    )
    assert said.startswith("made kim\nsign in once with https://t.org/sign-in/")
    user = User.objects.get(username="kim")
    assert (user.display_name, user.email, user.is_superuser, user.has_usable_password()) == (
        "Kim K", "k@example.org", False, False,
    )  # fmt: skip
    client = browser()
    client.get(link_in(said))
    assert signed_in(client)


def test_links_lead_to_where_it_is_served(
    db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.delenv("PORT", raising=False)

    def begins(*more: str) -> str:
        return ran("sign_in_link", "kim", *more)[0].split("/sign-in/")[0]

    assert "sign in once with http://localhost:8000/sign-in/" in ran("create_user", "kim")[0]
    address.remember("http://localhost:8190")  # as `make run` does
    assert begins() == "http://localhost:8190"
    monkeypatch.setenv("PORT", "8191")
    assert begins() == "http://localhost:8191"
    settings.CSRF_TRUSTED_ORIGINS = ["https://t.example.org"]
    assert begins() == "https://t.example.org" and begins("--url", "http://here:81") == "http://here:81"


def test_create_user_makes_a_superuser_with_a_password_typed_here(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "correct horse 9")
    assert ran("create_user", "root", "--superuser", "--ask-password")[0] == "made root\n"
    user = User.objects.get(username="root")
    assert user.is_superuser and user.is_staff and user.check_password("correct horse 9")
    assert not SignInLink.objects.exists()


def test_create_user_says_what_is_wrong(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused("create_user", "ann").startswith("username: ")
    assert refused("create_user", "no spaces").startswith("username: ")
    assert refused("create_user", "kim", "--email", "nowhere").startswith("email: ")
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "short")
    assert refused("create_user", "kim", "--ask-password").startswith("password: ")
    assert not User.objects.filter(username="kim").exists()


def test_sign_in_link_signs_a_user_in_once(cast: Cast) -> None:
    said, _ = ran("sign_in_link", "ann", "--url", "http://here:81/")
    assert said.startswith("http://here:81/sign-in/")
    first, second = browser(), browser()
    for client in (first, second):
        client.get(link_in(said))
    assert signed_in(first) and not signed_in(second)


def test_sign_in_link_is_for_active_users(cast: Cast) -> None:
    User.objects.filter(username="bob").update(is_active=False)
    for name in ("bob", "kim"):
        assert refused("sign_in_link", name) == f"no active user {name}; make one with: manage.py create_user {name}"
    assert not SignInLink.objects.exists()


# --- create_token -------------------------------------------------------------------------------------


def test_create_token_prints_nothing_but_the_token_to_standard_output(cast: Cast) -> None:
    said, aside = ran("create_token", "ann")
    assert said.startswith("ts_") and len(said.split()) == 1
    assert aside == f"token of ann (read, write, manage), for {people.TOKEN_DAYS} days:\n"
    client = calling(None)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {said.strip()}")
    assert client.get(f"/api/v1/projects/{cast.project.slug}").status_code == 200


def test_create_token_takes_scopes_a_name_and_an_end(cast: Cast) -> None:
    aside = ran("create_token", "ann", "--scopes", "read", "--days", "0", "--name", "nightly")[1]
    token = ApiToken.objects.get()
    assert (token.scopes, token.expires_at, token.name) == (["read"], None, "nightly")
    assert aside == "token of ann (read), without an end:\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kim"], "no active user kim; make one with: manage.py create_user kim"),
        (["ann", "--days", "-1"], "must lie in the future"),
        (["ann", "--name", " "], "give it a name"),
        (["ann", "--scopes", "all"], "invalid choice: 'all'"),
    ],
)
def test_create_token_says_what_is_wrong(cast: Cast, words: list[str], said: str) -> None:
    assert said in refused("create_token", *words) and not ApiToken.objects.exists()


# --- doctor -------------------------------------------------------------------------------------------


@pytest.fixture
def well(settings: Any, db: None) -> None:
    """A machine on which nothing is to be mended."""
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.CELERY_BROKER_URL = "filesystem://localhost/"
    machines.report(machines.Self("cpu@test", ("cpu",)))


def test_doctor_finds_everything_needed(well: None, settings: Any) -> None:
    said, _ = ran("doctor")
    assert said.startswith(f"Touchstone {settings.VERSION}, data in {settings.VAR_DIR}\n")
    assert said.endswith("Everything needed is there.\n") and "!!" not in said
    for name in ("database", "migrations", "broker", "worker", "disk", "secret key", "HTTPS", "debug"):
        assert f"  {name} " in said


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        ({"ALLOWED_HOSTS": ["t.example.org"]}, "HTTPS", "others may reach t.example.org; set TOUCHSTONE_HTTPS=1"),
        ({"DEBUG": True}, "debug", "never on a server that others reach"),
        ({"SECRET_KEY": "short"}, "secret key", "from the environment"),
        ({"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}, "broker", "redis at 127.0.0.1:1 does not answer"),
    ],
)
def test_doctor_ends_with_one_and_names_what_to_mend(
    well: None, settings: Any, change: dict[str, Any], name: str, words: str
) -> None:
    for setting, value in change.items():
        setattr(settings, setting, value)
    assert_mends(name, words)


def test_doctor_misses_a_worker(well: None, settings: Any) -> None:
    Worker.objects.update(seen_at=timezone.now() - timedelta(seconds=100))
    assert_mends("worker", "last seen 100 s ago; long work waits until one is back")
    Worker.objects.all().delete()
    assert_mends("worker", "none has been seen; `make run` starts one")


def test_doctor_tells_a_secret_that_others_can_read(well: None, settings: Any) -> None:
    path = settings.VAR_DIR / "secret-key"
    path.parent.mkdir(exist_ok=True)
    path.write_text(settings.SECRET_KEY)
    path.chmod(0o644)
    assert_mends("secret key", "others can read it: chmod 600")
    path.chmod(0o600)
    assert "!!" not in ran("doctor")[0]


def test_doctor_tells_that_the_disk_is_nearly_full(well: None, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**12, 10**12 - 10**9, 10**9))
    assert_mends("disk", "1 GB free")


def assert_mends(name: str, words: str) -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out, no_color=True)
    said = out.getvalue()
    [line] = [line for line in said.splitlines() if line.startswith("!!")]
    assert ended.value.code == 1 and name in line and words in line and said.endswith(f"To mend: {name}.\n")
