"""The language model: one quantized base, four roles, and text in and out of it."""

from rlhf_lab.models.batches import Row, TokenBatch, batch_of_rows, make_batch
from rlhf_lab.models.chat import ChatTokens
from rlhf_lab.models.generation import BATCH_SIZE, Generated, generate
from rlhf_lab.models.heads import ScalarHead
from rlhf_lab.models.loading import Base, load_base
from rlhf_lab.models.roles import ROLES, Role, RoleModel
from rlhf_lab.models.sources import resolve_model
from rlhf_lab.types import DEFAULT_MODEL

__all__ = [
    "BATCH_SIZE",
    "DEFAULT_MODEL",
    "ROLES",
    "Base",
    "ChatTokens",
    "Generated",
    "Role",
    "RoleModel",
    "Row",
    "ScalarHead",
    "TokenBatch",
    "batch_of_rows",
    "generate",
    "load_base",
    "make_batch",
    "resolve_model",
]
