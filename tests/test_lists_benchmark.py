"""The benchmark of lists: a project filled as it fills one answers every list of the API, and far into it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from benchmarks.lists import NAMED, lists_of, pages
from tests.cast import Cast, make_pairs
from tests.conftest import calling

pytestmark = pytest.mark.django_db


def test_every_list_and_page_answers_in_a_filled_project(cast: Cast) -> None:
    from benchmarks.filling import fill

    make_pairs(cast.project, 30)
    deep = fill(cast.project.slug, 30)
    places = {"slug": cast.project.slug, **deep}
    lists = lists_of(SchemaGenerator().get_schema(request=None, public=True))
    known = {place for address in lists.values() for place in re.findall(r"\{(\w+)\}", address)}
    assert len(lists) > 30 and known <= {"slug", "number", *NAMED.values()}
    owner: Any = calling(cast.ada)
    lists.pop("list_version_changes")  # of a version that is ready: where it runs an export came before
    asked = [address.format(**places) for address in lists.values()]
    asked += [f"{lists[name].format(**places)}?{query}" for name, query in deep.items() if name in lists]
    assert [(address, got.content) for address in asked if (got := owner.get(address)).status_code != 200] == []
    browser = Client()
    browser.force_login(cast.ada)
    shown = [address.format(**places) for address in pages(deep).values()]
    assert [address for address in shown if browser.get(address).status_code != 200] == []
