"""Readers of detection data sets: each turns what lies on disk into records."""

from mvps.datasets.record import GOOD, NORMALS, RGB, Record

__all__ = ["GOOD", "NORMALS", "RGB", "Record"]
