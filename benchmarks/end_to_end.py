"""Whole runs against two scripts that a user might have, and against the sum of our own stages.

    python benchmarks/end_to_end.py                                  # every case, 3648 x 5472
    python benchmarks/end_to_end.py --quick --cases 'png8-*' tiff12-none-k4

Every run is a child process. The stacks of a case are folders of hard links to the files of one
stack, which lie in the page cache. Each stack also holds a diffuse image, which neither mvps
(``--no-picture``) nor the scripts read. Slow scripts may run on fewer stacks; their times are
scaled. Standard library alone: see ``children.py``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from captures import Case, all_cases, link_stacks
from children import (
    BENCHMARKS,
    RESULTS,
    Cost,
    cheapest,
    machine,
    peak_of_tree,
    python,
    run_child,
)
from end_to_end_report import judge, show_case, show_claims

from mvps.files import write_json

FULL_SIZE, QUICK_SIZE, TINY_SIZE = (3648, 5472), (912, 1368), (64, 64)
MAPS = {"normals": ("--albedo", "none", "--no-preview"), "all": ()}
STARTUP_REPEATS = 5  # it is subtracted from every run, so its noise counts
IMPORT_ALL = """
import contextlib, importlib, sys
for name in sys.argv[1:]:
    with contextlib.suppress(Exception):
        importlib.import_module(name)
"""


@dataclass(frozen=True)
class Bench:
    """What every case shares."""

    scene: Path
    tiny_scene: Path
    work: Path
    size: tuple[int, int]
    stacks: int
    baseline_stacks: int
    repeats: int
    words: tuple[str, ...]

    @property
    def pixels(self) -> int:
        return self.size[0] * self.size[1]


def main() -> None:
    options = parse()
    height, width = QUICK_SIZE if options.quick else FULL_SIZE
    stacks = options.stacks or (2 if options.quick else 6)
    record: dict[str, Any] = machine() | {"size": [height, width], "stacks": stacks}
    record |= {"quick": options.quick, "baseline_stacks": min(options.baseline_stacks, stacks)}
    record |= {
        "words": options.words,
        "page_cache": "warm",
        "stacks_are": "folders of hard links to the files of one",
    }
    print(f"{height} x {width}, {stacks} stacks, {record['processor']}, "
          f"load {record['load_average_before']}")  # fmt: skip
    with tempfile.TemporaryDirectory(dir=options.work, prefix="mvps-bench-") as folder:
        work = Path(folder)
        bench = Bench(
            work / "scene", work / "tiny", work, (height, width), stacks, record["baseline_stacks"],
            options.repeats, tuple(options.words.split()),
        )  # fmt: skip
        run_child(python(BENCHMARKS / "captures.py", "scene", bench.scene, height, width))
        run_child(python(BENCHMARKS / "captures.py", "scene", bench.tiny_scene, *TINY_SIZE))
        record["cases"] = []
        for case in chosen(options.cases):
            record["cases"].append(measure_case(case, bench))
            show_case(record["cases"][-1], bench.pixels)
    record["claims"] = judge(record["cases"], bench.pixels)
    show_claims(record["claims"], quick=options.quick)
    name = "end_to_end-quick.json" if options.quick else "end_to_end.json"
    out = options.out or RESULTS / name
    write_json(out, record)
    print(f"written to {out}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="912 x 1368, 2 stacks")
    names = ", ".join(case.name for case in all_cases())
    parser.add_argument("--cases", nargs="+", default=["*"], help=f"names or patterns of {names}")
    parser.add_argument("--stacks", type=int, help="stacks of a run (6; 2 with --quick)")
    parser.add_argument(
        "--baseline-stacks", type=int, default=1, help="stacks that the scripts solve (1), scaled"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours; the best counts (3)")
    parser.add_argument(
        "--words", default="", help="more words of our runs, as --words=--no-light-check"
    )
    parser.add_argument("--work", type=Path, help="folder for the captures and maps (temporary)")
    parser.add_argument("--out", type=Path, help="JSON file (default: in results/)")
    return parser.parse_args()


def chosen(patterns: list[str]) -> list[Case]:
    cases = all_cases()
    for pattern in patterns:
        if not any(fnmatch(case.name, pattern) for case in cases):
            raise SystemExit(f"no case is named {pattern}; see --help")
    return [case for case in cases if any(fnmatch(case.name, p) for p in patterns)]


def measure_case(case: Case, bench: Bench) -> dict[str, Any]:
    """Every run of one case; its files are removed."""
    folder = bench.work / case.name
    base, raw, few = folder / "base", folder / "raw", folder / "few"
    images = python(BENCHMARKS / "captures.py", "images", case.name, bench.scene, base)
    run_child(images)
    link_stacks(base, raw, bench.stacks)
    link_stacks(base, few, bench.baseline_stacks)
    sizes = [warm(file) for file in sorted(base.iterdir())]
    record: dict[str, Any] = {"case": case.name, "lights": case.lights, "bits": case.bits}
    record |= {"format": case.format, "compression": case.compression, "file_bytes": sizes}
    record |= {"stacks": bench.stacks, "baseline_stacks": bench.baseline_stacks}
    record |= startup_costs(case, bench, folder)
    record["runs"] = {maps: measure_maps(case, bench, folder, maps) for maps in MAPS}
    record["largest_error_deg"] = largest_errors(case, folder)
    shutil.rmtree(folder)
    return record


def warm(file: Path) -> int:
    """Bring a file into the page cache, piece by piece: see ``children.py``; its bytes."""
    size = 0
    with file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            size += len(piece)
    return size


def startup_costs(case: Case, bench: Bench, folder: Path) -> dict[str, Any]:
    """Of mvps and of a script: the same command on a tiny stack, and a child that only imports."""
    tiny, out = folder / "tiny", folder / "tiny-out"
    run_child(
        python(BENCHMARKS / "captures.py", "images", case.name, bench.tiny_scene, tiny / "s0001")
    )
    script = BENCHMARKS / "baselines.py"
    words = ("-m", "mvps", "normals", tiny, out, "--workers", 1, "--format", encoding_of(case))
    commands = {
        "mvps": (*words, *case.options, *bench.words),
        "scripts": (script, "pinv", "png", "all", case.white, tiny, out),
    }
    found: dict[str, Any] = {"startup": {}, "imports": {}}
    for name, command in commands.items():
        runs = []
        for _ in range(max(STARTUP_REPEATS, bench.repeats)):
            shutil.rmtree(out, ignore_errors=True)
            runs.append(run_child(python(*command))[0])
        found["startup"][name] = cheapest(runs).as_dict()
        shutil.rmtree(out)
        modules = imported_modules(run_child(python("-X", "importtime", *command))[1])
        imports = [run_child(python("-c", IMPORT_ALL, *modules))[0] for _ in range(bench.repeats)]
        found["imports"][name] = cheapest(imports).as_dict()
    return found


def imported_modules(said: str) -> list[str]:
    """Names in the report of ``-X importtime``."""
    lines = [line for line in said.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]


def measure_maps(case: Case, bench: Bench, folder: Path, maps: str) -> dict[str, Any]:
    """Our runs, our stages alone and the scripts, for one choice of maps."""
    words = [*MAPS[maps], *case.options, "--format", encoding_of(case), *bench.words]
    runs: dict[str, Any] = {}
    for workers in (1, 2):
        costs = [run_ours(folder, words, workers) for _ in range(bench.repeats)]
        peak = peak_of_ours(folder, words, workers)
        runs[f"mvps-{workers}"] = cheapest(costs).as_dict() | {"peak_bytes": peak}
    runs["alone"] = run_alone(case, bench, folder, maps)
    endings = {"lstsq": "png", "pinv": "png"} | (
        {"pinv-tif": "tif"} if case.format == "tiff" else {}
    )
    for name, ending in endings.items():
        runs[name] = run_script(case, folder, name.partition("-")[0], ending, maps).as_dict()
    return runs


def encoding_of(case: Case) -> str:
    return "png16" if case.format == "png" else "tiff"


def run_ours(folder: Path, words: list[str], workers: int) -> Cost:
    cost, _ = run_child(our_command(folder, words, workers))
    shutil.rmtree(folder / "out")
    return cost


def peak_of_ours(folder: Path, words: list[str], workers: int) -> int:
    peak = peak_of_tree(our_command(folder, words, workers))
    shutil.rmtree(folder / "out")
    return peak


def our_command(folder: Path, words: list[str], workers: int) -> list[str]:
    place = (folder / "raw", folder / "out", "--workers", workers, "--overwrite", "--no-picture")
    return python("-m", "mvps", "normals", *place, *words)


def run_alone(case: Case, bench: Bench, folder: Path, maps: str) -> dict[str, Any]:
    albedo, preview = ("f32", True) if maps == "all" else ("none", False)
    options = {"encoding": encoding_of(case), "albedo": albedo, "preview": preview}
    script = BENCHMARKS / "stages_alone.py"
    words = (
        max(3, bench.repeats),
        folder / "few",
        folder / "alone",
        json.dumps(options),
        case.bits,
    )
    stages: dict[str, Any] = json.loads(run_child(python(script, *words))[1])
    return stages


def run_script(case: Case, folder: Path, solver: str, ending: str, maps: str) -> Cost:
    """One of the two scripts; its maps stay until the next one runs."""
    out = folder / "script"
    shutil.rmtree(out, ignore_errors=True)
    script = BENCHMARKS / "baselines.py"
    words = (solver, ending, maps, case.white, folder / "few", out)
    return run_child(python(script, *words))[0]


def largest_errors(case: Case, folder: Path) -> dict[str, float]:
    """Of our encodings against our float32 map, and of a script's map, which is the same job."""
    files = {}
    for encoding, name in (
        ("f32", "normals.tif"),
        ("tiff", "normals.tif"),
        ("png16", "normals.png"),
    ):
        out = folder / f"error-{encoding}"
        command = ("-m", "mvps", "normals", folder / "few", out, "--overwrite", *MAPS["normals"])
        run_child(python(*command, *case.options, "--format", encoding))
        files[encoding] = out / "s0001" / name
    run_script(case, folder, "pinv", "png", "normals")
    files["pinv"] = folder / "script" / "s0001" / "normals.png"
    exact, *others = files.values()
    said = run_child(python(BENCHMARKS / "map_error.py", exact, *others))[1]
    return dict(zip(list(files)[1:], json.loads(said), strict=True))


if __name__ == "__main__":
    main()
