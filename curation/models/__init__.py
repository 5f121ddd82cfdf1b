"""All tables, one file a stage, in the order the data flows."""

from curation.models.adjudication import Adjudication, GuidelineCase
from curation.models.annotations import Annotation, Preference
from curation.models.checks import Check
from curation.models.critiques import Critique, Rank, Verdict
from curation.models.datasets import Dataset, DatasetFile, DatasetVersion
from curation.models.images import Image
from curation.models.items import Change, Item, Pair, Response, Source
from curation.models.machines import Schedule, Worker
from curation.models.people import Annotator, ApiToken, Invite, Membership, Role, Scope, SignInLink, User
from curation.models.projects import Project, Protocol, TaskKind
from curation.models.registry import Calibration, Completion, ModelVersion
from curation.models.runs import IdempotentReply, Run, RunLine
from curation.models.scores import Embedding, Score, ScoreMap
from curation.models.shards import Shard
from curation.models.tasks import GONE, Assignment, Draft, Progress, Tally, Task, queue_position
from curation.models.training import Evaluation, TrainingPoint
from curation.models.webhooks import Delivery, Webhook

__all__ = [
    "GONE",
    "Adjudication",
    "Annotation",
    "Annotator",
    "ApiToken",
    "Assignment",
    "Calibration",
    "Change",
    "Check",
    "Completion",
    "Critique",
    "Dataset",
    "DatasetFile",
    "DatasetVersion",
    "Delivery",
    "Draft",
    "Embedding",
    "Evaluation",
    "GuidelineCase",
    "IdempotentReply",
    "Image",
    "Invite",
    "Item",
    "Membership",
    "ModelVersion",
    "Pair",
    "Preference",
    "Progress",
    "Project",
    "Protocol",
    "Rank",
    "Response",
    "Role",
    "Run",
    "RunLine",
    "Schedule",
    "Scope",
    "Score",
    "ScoreMap",
    "Shard",
    "SignInLink",
    "Source",
    "Tally",
    "Task",
    "TaskKind",
    "TrainingPoint",
    "User",
    "Verdict",
    "Webhook",
    "Worker",
    "queue_position",
]
