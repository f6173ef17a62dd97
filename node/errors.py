"""Why a verb did not do what it was asked: whole sentences for the person at the other end."""

from __future__ import annotations


class StepError(Exception):
    """The verb ends with exit code 1 and this text; what was done before it stands."""


class NoAnswer(StepError):
    """Something is there and did not answer in time: what it would have said is unknown."""
