"""Captures: what lies on disk, found and checked before a pixel is decoded."""

from __future__ import annotations

from mvps.capture.checks import inspect
from mvps.capture.layouts import Discovery, discover
from mvps.capture.stack import Fault, Overrides, Stack
from mvps.findings import Finding

__all__ = ["Discovery", "Fault", "Finding", "Overrides", "Stack", "discover", "inspect"]
