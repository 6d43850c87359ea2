"""The one object a notebook needs."""

from rlhf_lab.lab.lab import Lab

__all__ = ["Lab"]
