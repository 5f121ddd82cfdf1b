"""Import: a file into items, responses, pairs, tasks and the votes that came with them.

The same file twice changes nothing; a run broken off goes on at its line and ends with the same rows.
"""

from curation.services.importing.asking import (
    import_now,
    is_small,
    keep_upload,
    preview,
    request_import,
    upload_of,
    upsert_items,
)
from curation.services.importing.doing import ended, execute
from curation.services.importing.origin import origin_from
from curation.services.importing.sources import columns_of, mapping_from
from curation.services.method import Method

METHOD = Method(
    name="import",
    title="Import",
    about="Reads a file into items, responses, pairs and tasks.",
    unit="bytes",
    execute=execute,
    ended=ended,
    startable=False,
)

__all__ = [
    "METHOD",
    "columns_of",
    "import_now",
    "is_small",
    "keep_upload",
    "mapping_from",
    "origin_from",
    "preview",
    "request_import",
    "upload_of",
    "upsert_items",
]
