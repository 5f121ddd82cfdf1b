"""Loaded before the settings: tests keep what they write in a folder of their own."""

import os
import tempfile

os.environ.setdefault("TOUCHSTONE_VAR", tempfile.mkdtemp(prefix="touchstone-test-"))
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside the ORM
os.environ.setdefault("TOUCHSTONE_CONSUMERS", "light")  # tests/test_consumers.py asks them all
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
