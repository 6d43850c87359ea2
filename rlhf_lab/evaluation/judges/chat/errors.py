"""What can end a run of questions to an endpoint."""

from __future__ import annotations

from rlhf_lab.errors import LabError, ModelError


class EndpointError(ModelError):
    """A chat endpoint refused a request, or gave no usable answer however often it was asked."""


class CostLimitReached(LabError):
    """The next request might have cost more than was allowed; the answers so far are kept."""
