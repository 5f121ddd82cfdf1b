"""Entry point of the web server."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
application = get_wsgi_application()

# What is loaded stays. Left to Python's search for reference cycles, some request in a dozen would wait a tenth of a
# second while all of it is walked through.
get_resolver().url_patterns  # noqa: B018 (loads the views, which the first request would)
gc.collect()
gc.freeze()
