"""Foreign keys of a bulk import: looked up together, and as sure as one by one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from curation import bulk
from curation.models import Item, Pair, Project, Response, Source, Task
from tests.cast import make_project
from tests.imports import bring, row

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite looks at the end anyway")
MODELS = (Item, Response, Pair, Task)
NOWHERE = 999_999_999


def insert_orphan() -> None:
    ids = bulk.allocate_ids(Response, 1)
    texts = ("A text.", None, "", "{}", "", None, "digest")
    columns = ("text", "messages", "model", "metadata", "unit", "units", "text_hash")
    bulk.insert_alike(Response, ("id", "item_id", "position"), [(ids[0], NOWHERE, 0, texts)], texts=columns)


def checked_as_usual() -> bool:
    """Whether the database refuses an orphan by itself."""
    try:
        with transaction.atomic():
            insert_orphan()
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except IntegrityError:
        return True
    return False


def test_a_row_that_names_nothing_is_refused(db: None) -> None:
    wanted = f"item_id {NOWHERE} of curation_response .* is not there"
    with pytest.raises(IntegrityError, match=wanted), bulk.keys_at_once(MODELS, {}):
        insert_orphan()
    assert not Response.objects.exists() and checked_as_usual()


def test_a_row_that_was_there_may_be_named_and_one_that_is_not_is_refused(db: None) -> None:
    project = make_project("house")
    kept = {Project: project.pk, Source: None}

    def insert_item(project_id: int) -> None:
        columns = ("external_id", "prompt", "context", "metadata", "prompt_hash", "content_hash")
        fixed = {"project_id": project_id, "source_id": None, "created_at": project.created_at}
        texts = ("one", "[]", "{}", "{}", "p", "c")
        rows = [(pk, texts) for pk in bulk.allocate_ids(Item, 1)]
        bulk.insert_alike(Item, ("id",), rows, fixed=fixed, texts=columns)

    with bulk.keys_at_once(MODELS, kept):  # type: ignore[arg-type]
        insert_item(project.pk)
    assert Item.objects.get().project == project
    with pytest.raises(IntegrityError, match="project_id"), bulk.keys_at_once(MODELS, kept):  # type: ignore[arg-type]
        insert_item(NOWHERE)


def test_the_usual_check_is_back_behind_a_failure(db: None) -> None:
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), bulk.keys_at_once(MODELS, {}):
            raise ZeroDivisionError
        assert checked_as_usual()


def test_a_role_that_may_not_leave_it_out_checks_as_usual(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE touchstone_test_plain")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO touchstone_test_plain")
        cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO touchstone_test_plain")
        assert bulk.may_leave_triggers_out()
        cursor.execute("SET LOCAL ROLE touchstone_test_plain")
        assert not bulk.may_leave_triggers_out()
        with bulk.keys_at_once(MODELS, {}):
            assert checked_as_usual()
        cursor.execute("RESET ROLE")


def test_what_is_held_cannot_be_removed_meanwhile(transactional_db: None) -> None:
    project = make_project("house")

    def take() -> None:
        try:
            with transaction.atomic():
                Project.objects.select_for_update(nowait=True).get(pk=project.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as somebody:
        with (
            transaction.atomic(),
            bulk.keys_at_once(MODELS, {Project: project.pk}),
            pytest.raises(OperationalError, match="lock"),
        ):
            somebody.submit(take).result()
        somebody.submit(take).result()


def test_an_import_leaves_everything_checked(db: None) -> None:
    project = make_project("house")
    bring(project, row("1"), row("2"))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone()[0] == "origin"
    assert Task.objects.filter(project=project).count() == 2
