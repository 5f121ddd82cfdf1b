"""All tables, one file a stage, in the order the data flows."""

from curation.models.annotations import Annotation, Preference
from curation.models.datasets import Dataset, DatasetFile, DatasetVersion
from curation.models.items import Item, Pair, Response
from curation.models.people import Annotator, ApiToken, Invite, Membership, Role, Scope, SignInLink, User
from curation.models.projects import Project, Protocol
from curation.models.runs import IdempotentReply, Run
from curation.models.tasks import Assignment, Progress, Tally, Task, queue_position

__all__ = [
    "Annotation",
    "Annotator",
    "ApiToken",
    "Assignment",
    "Dataset",
    "DatasetFile",
    "DatasetVersion",
    "IdempotentReply",
    "Invite",
    "Item",
    "Membership",
    "Pair",
    "Preference",
    "Progress",
    "Project",
    "Protocol",
    "Response",
    "Role",
    "Run",
    "Scope",
    "SignInLink",
    "Tally",
    "Task",
    "User",
    "queue_position",
]
