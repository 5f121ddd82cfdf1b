"""All tables, one file a stage, in the order the data flows."""

from curation.models.adjudication import Adjudication, GuidelineCase
from curation.models.agreement import AgreementState, AgreementSum
from curation.models.annotations import Annotation, Preference
from curation.models.audit import Act, AuditEvent, Via
from curation.models.checks import Check
from curation.models.critiques import Critique, Rank, Verdict
from curation.models.crowd import CrowdLink, CrowdPerson
from curation.models.curation import Proposal
from curation.models.datasets import Dataset, DatasetFile, DatasetVersion
from curation.models.decisions import Decision, Reliability
from curation.models.gold import Gold, GoldResult
from curation.models.images import Image
from curation.models.items import Change, Item, Pair, Response, Source
from curation.models.machines import Schedule, Worker
from curation.models.people import Annotator, ApiToken, Invite, Membership, Role, Scope, SignInLink, User
from curation.models.plans import AttributesEdit, PairAttributes, Plan, PlanPair, PlanStep
from curation.models.projects import Project, Protocol, TaskKind
from curation.models.registry import Calibration, Completion, ModelVersion
from curation.models.repeats import Repeat
from curation.models.reports import BiasReport, LearningCurve
from curation.models.runs import IdempotentReply, Run, RunLine
from curation.models.scores import Embedding, Score, ScoreMap
from curation.models.shards import Shard
from curation.models.tasks import GONE, Assignment, Draft, Progress, Tally, Task, queue_position
from curation.models.training import Evaluation, TrainingPoint
from curation.models.webhooks import Delivery, Webhook
from curation.models.work import Comment, Group, Mention, Queue, Review, Share

__all__ = [
    "GONE",
    "Act",
    "Adjudication",
    "AgreementState",
    "AgreementSum",
    "Annotation",
    "Annotator",
    "ApiToken",
    "Assignment",
    "AttributesEdit",
    "AuditEvent",
    "BiasReport",
    "Calibration",
    "Change",
    "Check",
    "Comment",
    "Completion",
    "Critique",
    "CrowdLink",
    "CrowdPerson",
    "Dataset",
    "DatasetFile",
    "DatasetVersion",
    "Decision",
    "Delivery",
    "Draft",
    "Embedding",
    "Evaluation",
    "Gold",
    "GoldResult",
    "Group",
    "GuidelineCase",
    "IdempotentReply",
    "Image",
    "Invite",
    "Item",
    "LearningCurve",
    "Membership",
    "Mention",
    "ModelVersion",
    "Pair",
    "PairAttributes",
    "Plan",
    "PlanPair",
    "PlanStep",
    "Preference",
    "Progress",
    "Project",
    "Proposal",
    "Protocol",
    "Queue",
    "Rank",
    "Reliability",
    "Repeat",
    "Response",
    "Review",
    "Role",
    "Run",
    "RunLine",
    "Schedule",
    "Scope",
    "Score",
    "ScoreMap",
    "Shard",
    "Share",
    "SignInLink",
    "Source",
    "Tally",
    "Task",
    "TaskKind",
    "TrainingPoint",
    "User",
    "Verdict",
    "Via",
    "Webhook",
    "Worker",
    "queue_position",
]
