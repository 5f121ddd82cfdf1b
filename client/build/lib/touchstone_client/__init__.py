"""Touchstone from Python: projects, answers, dataset versions and runs over its REST API.

    from touchstone_client import Client

    client = Client("http://localhost:8000", "ts_…")        # or TOUCHSTONE_URL and TOUCHSTONE_TOKEN
    project = client.project("mine")
    project.import_([{"prompt": "…", "chosen": "…", "rejected": "…"}]).wait()
    version = project.dataset("preferences").make(target="trl-preference").wait().version()
    version.to_datasets()

`AsyncClient` has the same verbs to await.
"""

from touchstone_client.aio import AsyncClient
from touchstone_client.client import Client, Dataset, Project, Run, Version
from touchstone_client.problems import Problem, RunFailed, Unreachable

__all__ = [
    "AsyncClient", "Client", "Dataset", "Problem", "Project", "Run", "RunFailed", "Unreachable", "Version",
]  # fmt: skip
