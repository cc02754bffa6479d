"""Readers of detection data sets: each turns what lies on disk into records."""

from mvps.datasets.dataset import Dataset, Layout, ReadOptions
from mvps.datasets.normals import read_record_normals
from mvps.datasets.record import GOOD, NORMALS, RGB, Record
from mvps.datasets.registry import LAYOUTS, read_dataset, recognise
from mvps.datasets.splits import hold_out, select_shots

__all__ = [
    "GOOD",
    "LAYOUTS",
    "NORMALS",
    "RGB",
    "Dataset",
    "Layout",
    "ReadOptions",
    "Record",
    "hold_out",
    "read_dataset",
    "read_record_normals",
    "recognise",
    "select_shots",
]
