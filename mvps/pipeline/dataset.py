"""Every object of a data set, solved with every solver in memory and compared with its truth.

Photographs are read once for all solvers, by strips; nothing is written beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.capture import Fault, Overrides, Stack, discover, inspect
from mvps.errors import InputError, MvpsError
from mvps.images import Window
from mvps.machine import cores
from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.plan import PlannedStack
from mvps.pipeline.settling import problem_of, settle
from mvps.pipeline.source import StripSource
from mvps.pipeline.truths import Truth, benchmark_maps, read_map, read_truth
from mvps.stereo import Backend, Problem, StripOut, get_backend
from mvps.stereo.evaluate import ErrorSummary, angular_error, summarise
from mvps.stereo.published import (
    CITATION,
    POT2_NOTE,
    benchmark_name,
    benchmark_order,
    published_errors,
)
from mvps.stereo.solvers import SOLVERS, Solver, parse_trim
from mvps.stereo.tables import ErrorTable, Row

CLOSE = 5.0  # degrees


@dataclass(frozen=True)
class Errors:
    """How far one map is from the truth, in degrees.

    Attributes
    ----------
    close : share of the pixels with a true normal whose error is below 5 degrees
    choice : what the solver "auto" stood for and why, empty for others
    """

    summary: ErrorSummary
    close: float
    choice: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        said = {"choice": self.choice} if self.choice else {}
        return asdict(self.summary) | {"below_5_degrees": round(self.close, 6)} | said


@dataclass(frozen=True)
class ObjectErrors:
    """One object of a data set.

    Attributes
    ----------
    solvers : errors by solver
    maps : errors of normal maps that came with the benchmark, by method
    published : mean angular errors that others published, by method
    """

    name: str
    folder: Path
    truth: Path
    lights: int
    width: int
    height: int
    solvers: dict[str, Errors]
    maps: dict[str, Errors]
    published: dict[str, float]
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        said = {key: getattr(self, key) for key in ("name", "lights", "width", "height")}
        return said | {
            "folder": str(self.folder),
            "truth": str(self.truth),
            "solvers": {name: errors.as_dict() for name, errors in self.solvers.items()},
            "maps": {name: errors.as_dict() for name, errors in self.maps.items()},
            "published": self.published,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class DatasetErrors:
    """A data set: its objects, those that could not be compared, and maps that were left out."""

    objects: tuple[ObjectErrors, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[str, ...] = ()

    def table(self) -> ErrorTable:
        """Mean angular errors as papers print them: ours, the benchmark's maps, published ones."""
        found = self.objects
        ours: list[Callable[[ObjectErrors], dict[str, float]]] = [
            lambda o: {name: errors.summary.mean for name, errors in o.solvers.items()},
            lambda o: {name: errors.summary.mean for name, errors in o.maps.items()},
            lambda o: o.published,
        ]
        rows = []
        for of in ours:
            for name in dict.fromkeys(name for entry in found for name in of(entry)):
                rows.append(Row(name, tuple(of(entry).get(name) for entry in found)))
        notes = [CITATION] if any(entry.published for entry in found) else []
        if any(entry.published and benchmark_name(entry.folder.name) == "pot2" for entry in found):
            notes.append(POT2_NOTE)
        notes += self._gaps()
        return ErrorTable(tuple(entry.name for entry in found), tuple(rows), tuple(notes))

    def _gaps(self) -> list[str]:
        """What a mean leaves out; a method must not win by giving up on what is hard."""
        lost: dict[str, int] = {}
        wanted = 0
        for entry in self.objects:
            for name, errors in (entry.solvers | entry.maps).items():
                lost[name] = lost.get(name, 0) + errors.summary.missing
            first = next(iter(entry.solvers.values())).summary
            wanted += first.count + first.missing
        return [
            f"{name}: {count} of {wanted} pixels have no normal and are not in the mean"
            for name, count in lost.items()
            if count
        ]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; angles in degrees."""
        table = self.table()
        return {
            "objects": [entry.as_dict() for entry in self.objects],
            "average": {row.method: row.average for row in table.rows},
            "notes": list(table.notes),
            "warnings": list(self.warnings),
            "failures": [{"stack": f.stack, "error": f.message} for f in self.faults],
        }


@dataclass(frozen=True)
class DatasetOptions:
    """What ``mvps evaluate dataset`` is asked to do.

    Attributes
    ----------
    solvers : names, with parameters after a colon: ``irls:huber``, ``trimmed:0.3,0.4``
    objects : names or globs; all objects where there is none
    truth : folder that mirrors the data set, or the one map; by default beside the photographs
    truth_convention : signs of the truth where the file does not say
    run : device, grey and limits, as for ``mvps normals``
    """

    solvers: tuple[str, ...] = SOLVERS
    objects: tuple[str, ...] = ()
    truth: Path | None = None
    truth_convention: str | None = None
    run: RunOptions = field(default_factory=lambda: RunOptions(preview=False))

    def __post_init__(self) -> None:
        if not self.solvers:
            raise InputError("--solver", "none is named", f"one or more of {', '.join(SOLVERS)}")
        if len(set(self.solvers)) < len(self.solvers):
            raise InputError("--solver", "one is named twice", "name each once")
        for name in self.solvers:
            parse_solver(name)


def parse_solver(text: str) -> Solver:
    """``ls``, ``irls:huber`` or ``trimmed:0.3,0.4``.

    Raises
    ------
    InputError
        There is no such solver, or it takes no such parameter.
    """
    name, colon, parameter = text.partition(":")
    if not colon:
        return Solver(name)
    if name == "irls":
        return Solver(name, loss=parameter)
    if name == "trimmed":
        return Solver(name, trim=parse_trim(parameter))
    raise InputError("--solver", f"{text!r}: only irls:LOSS and trimmed:LOW,HIGH take parameters")


def evaluate_dataset(
    root: Path,
    options: DatasetOptions,
    report: Callable[[int, int, ObjectErrors | Fault], None] | None = None,
) -> DatasetErrors:
    """Solve and judge every object below a folder.

    Parameters
    ----------
    root : whatever ``mvps normals`` recognises, with true normals
    report : called after each object with its number from 1, how many there are, and the result

    Raises
    ------
    InputError
        Nothing is recognised below ``root``, no object has a name that is asked for, or the
        truth does not exist.
    DeviceError, MissingExtraError
        The device cannot be used here.
    """
    if options.truth is not None and not options.truth.exists():
        raise InputError(options.truth, "no such file or folder", "check --truth")
    stacks, faults = _wanted(root, options.objects)
    if options.truth is not None and options.truth.is_file() and len(stacks) > 1:
        what = f"is one map for {len(stacks)} objects"
        raise InputError(options.truth, what, "give a folder of truths")
    backend = get_backend(options.run.device)
    objects, warnings = [], []
    with ThreadPoolExecutor(cores()) as pool:
        for number, stack in enumerate(stacks, start=1):
            result: ObjectErrors | Fault
            try:
                result, said = evaluate_object(stack, root, options, backend, pool)
                objects.append(result)
                warnings += said
            except (MvpsError, OSError) as error:
                result = Fault(stack.title, str(error))
                faults.append(result)
            if report is not None:
                report(number, len(stacks), result)
    return DatasetErrors(tuple(objects), tuple(faults), tuple(warnings))


def _wanted(root: Path, names: Sequence[str]) -> tuple[list[Stack], list[Fault]]:
    """Stacks in the order of the benchmark, then by name, and faults, among those asked for."""
    found = discover(root, Overrides())

    def asked(name: str) -> bool:
        last = name.rsplit("/", 1)[-1]
        known = {name, last, benchmark_name(last) or last}
        return not names or any(fnmatchcase(k, pattern) for k in known for pattern in names)

    stacks = [stack for stack in found.stacks if asked(_full_name(stack))]
    faults = [fault for fault in found.faults if asked(fault.stack)]
    if not stacks and not faults:
        raise InputError(
            "--objects", f"{', '.join(names)}: no such object in {root}", "check names"
        )
    return sorted(stacks, key=lambda stack: benchmark_order(_folder(stack).name)), faults


def _full_name(stack: Stack) -> str:
    return stack.title if stack.name == "." else stack.name


def _shown_name(stack: Stack) -> str:
    """As papers name it: ``ball`` for the folder ``ballPNG`` of the benchmark."""
    name = _full_name(stack)
    short = benchmark_name(name) or ""
    return short if name.lower() == f"{short}png" else name


def _folder(stack: Stack) -> Path:
    return stack.images[0].path.absolute().parent


def evaluate_object(
    stack: Stack, root: Path, options: DatasetOptions, backend: Backend, pool: Executor
) -> tuple[ObjectErrors, list[str]]:
    """Solve one object with every solver and judge it; also a line for each map left out.

    Raises
    ------
    MvpsError, OSError
        It cannot be solved, or has no truth of its size.
    """
    started = time.perf_counter()
    planned = _planned(stack, options.run.max_pixels)
    truth = read_truth(planned.stack, options.truth, options.truth_convention)
    solvers = _judge_solvers(planned, truth, options, backend, pool)
    maps, warnings = _judge_maps(planned.stack, root, truth)
    folder = _folder(stack)
    judged = int(np.count_nonzero(truth.known))
    errors = ObjectErrors(
        name=_shown_name(stack),
        folder=folder,
        truth=truth.path,
        lights=len(stack.images),
        width=planned.width,
        height=planned.height,
        solvers=solvers,
        maps=maps,
        published=published_errors(folder.name, len(stack.images), judged),
        seconds=time.perf_counter() - started,
    )
    return errors, warnings


def _planned(stack: Stack, max_pixels: int) -> PlannedStack:
    inspected, findings = inspect(stack, max_pixels)
    first = next((finding for finding in findings if finding.level == "error"), None)
    if first is not None:
        raise InputError(stack.title, first.message)
    info = inspected.infos[0]
    window = Window(0, 0, info.width, info.height)
    return PlannedStack(inspected, Path(), findings, window, info.width, info.height)


@dataclass(frozen=True)
class _Column:
    """One solver on its way down an object."""

    name: str
    problem: Problem
    room: StripOut
    error: NDArray[np.float32]
    choice: str


def _judge_solvers(
    planned: PlannedStack, truth: Truth, options: DatasetOptions, backend: Backend, pool: Executor
) -> dict[str, Errors]:
    shape = (planned.height, planned.width)
    chosen = {name: _settled(planned, name, options.run, pool) for name in options.solvers}
    with StripSource(planned.stack, planned.window, options.run, pool) as source:
        columns = []
        for name, (solver, choice) in chosen.items():
            problem = problem_of(source, planned, options.run.grey, solver)
            room = StripOut.empty(source.width * STRIP_ROWS, problem, quality=False)
            error = np.full(shape, np.nan, np.float32)
            columns.append(_Column(name, problem, room, error, choice))
        start = 0
        for strip in source.strips():
            rows = slice(start, start + strip.rows)
            if strip.mask is not None:
                truth.known[rows] &= strip.mask.reshape(strip.rows, -1) > 0

            def solve(column: _Column, rows: slice = rows, strip: Any = strip) -> None:
                out = column.room.head(strip.samples.shape[1])
                backend.solve_strip(column.problem, strip.samples, strip.mask, out)
                normals = out.normals.reshape(strip.rows, -1, 3)
                known = truth.known[rows]
                column.error[rows] = angular_error(normals, truth.normals[rows], known)

            list(pool.map(solve, columns))
            start += strip.rows
    if not truth.known.any():
        raise InputError(truth.path, "shares no valid pixel with the mask", "check the mask")
    for column in columns:
        if not np.isfinite(column.error).any():
            where = planned.stack.title
            raise InputError(where, f"no pixel has a normal with the solver {column.name}")
    return {column.name: _errors(column.error, truth, column.choice) for column in columns}


def _settled(
    planned: PlannedStack, name: str, run: RunOptions, pool: Executor
) -> tuple[Solver, str]:
    wanted = parse_solver(name)
    mine = replace(run, solver=wanted.name, loss=wanted.loss, trim=wanted.trim)
    solver, choice = settle(planned, mine, pool)
    return solver, f"{solver.name}: {choice.reason}" if choice else ""


def _errors(error: NDArray[np.float32], truth: Truth, choice: str = "") -> Errors:
    wanted = int(np.count_nonzero(truth.known))
    close = np.count_nonzero(error < CLOSE) / wanted
    return Errors(summarise(error, truth.known), close, choice)


def _judge_maps(stack: Stack, root: Path, truth: Truth) -> tuple[dict[str, Errors], list[str]]:
    """Errors of the maps that came with the benchmark, and a line for each that cannot be read."""
    found, warnings = {}, []
    for method, path in benchmark_maps(_folder(stack), root):
        try:
            normals = read_map(path, truth.known.shape)
            error = angular_error(normals, truth.normals, truth.known)
            found[method] = _errors(error, truth)
        except MvpsError as fault:
            warnings.append(f"{fault}; left out")
    return found, warnings
