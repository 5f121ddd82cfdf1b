"""All tables, one file a stage, in the order the data flows."""

from curation.models.annotations import Annotation, Preference
from curation.models.critiques import Critique, Rank, Verdict
from curation.models.datasets import Dataset, DatasetFile, DatasetVersion
from curation.models.images import Image
from curation.models.items import Item, Pair, Response
from curation.models.people import Annotator, ApiToken, Invite, Membership, Role, Scope, SignInLink, User
from curation.models.projects import Project, Protocol, TaskKind
from curation.models.runs import IdempotentReply, Run
from curation.models.tasks import Assignment, Draft, Progress, Tally, Task, queue_position

__all__ = [
    "Annotation",
    "Annotator",
    "ApiToken",
    "Assignment",
    "Critique",
    "Dataset",
    "DatasetFile",
    "DatasetVersion",
    "Draft",
    "IdempotentReply",
    "Image",
    "Invite",
    "Item",
    "Membership",
    "Pair",
    "Preference",
    "Progress",
    "Project",
    "Protocol",
    "Rank",
    "Response",
    "Role",
    "Run",
    "Scope",
    "SignInLink",
    "Tally",
    "Task",
    "TaskKind",
    "User",
    "Verdict",
    "queue_position",
]
