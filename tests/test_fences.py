"""Walls that hold without anybody looking: no torch in the web process, no stranger in the pages, docs that fit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT: Path = settings.BASE_DIR
SOURCES = [p for folder in ("annotate", "curation", "workers") for p in (ROOT / folder).rglob("*.py")]


def test_the_web_process_starts_and_lists_its_methods_without_torch() -> None:
    program = """
import sys
for name in ("torch", "transformers", "trl", "datasets", "peft"):
    sys.modules[name] = None
import os; os.environ["DJANGO_SETTINGS_MODULE"] = "curation.settings"
import django; django.setup()
import curation.urls, curation.jobs
from curation.services.methods import METHODS
from workers.readers import readers
from workers.writers import targets
assert METHODS and list(readers) and list(targets)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_page_needs_another_host() -> None:
    for path in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static").rglob("*.*s")]:
        found = re.findall(r"""(?:src|href|url\(|import)\s*[=(]?\s*["']?(?:https?:)?//[^"')\s]+""", path.read_text())
        assert not found, (path, found)


def test_no_page_has_inline_script_or_style() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), path
        assert not re.search(r"<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']", text), path


def test_every_setting_of_the_environment_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    code = (ROOT / "curation" / "settings.py").read_text()
    code += (ROOT / "curation" / "management" / "commands" / "up.py").read_text()
    names = re.findall(r"""(?:envbool|envint|envsecret|environ\.get)\(\s*"([A-Z_]+)\"""", code)
    assert names and not [name for name in names if f"`{name}`" not in text]


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()
    for path in ROOT.glob("requirements*.txt"):
        for line in path.read_text().splitlines():
            if name := re.match(r"[A-Za-z0-9][A-Za-z0-9_.-]*", line):
                assert name[0].lower() in text, name[0]


def test_every_path_that_the_docs_name_exists() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|/|#)([^)#]+)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name} names {target}"


def test_no_file_is_longer_than_one_sitting() -> None:
    everything = [*SOURCES, *(ROOT / "static").rglob("*.js"), *(ROOT / "static").rglob("*.css")]
    long = [(p.name, n) for p in everything if "migrations" not in p.parts and (n := p.read_text().count("\n")) > 420]
    assert not long
