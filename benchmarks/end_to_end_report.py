"""Tables and goals of ``end_to_end.py``, from its record alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

TITLES = {"normals": "normals alone", "all": "normals, albedo and preview"}
NAMES = {
    "lstsq": "(i) lstsq script",
    "pinv": "(ii) float32 script",
    "pinv-tif": "(ii) writing TIFF",
    "mvps-1": "mvps, 1 worker",
    "mvps-2": "mvps, 2 workers",
}
STAGES = ("read", "solve", "encode", "digest")  # the digests of the inputs are ours too

Record = dict[str, Any]


def seconds(record: Record, maps: str, name: str, *, startup: bool) -> float:
    """Wall seconds of a run over all stacks; a script's are scaled from those that it solved."""
    runs = record["runs"][maps]
    if name == "alone":
        return float(sum(runs[name]["wall"][stage] for stage in STAGES)) * record["stacks"]
    ours = name.startswith("mvps")
    before = record["startup"]["mvps" if ours else "scripts"]["wall_s"]
    scale = 1.0 if ours else record["stacks"] / record["baseline_stacks"]
    return (runs[name]["wall_s"] - before) * scale + (before if startup else 0.0)


def held(record: Record, maps: str, name: str) -> float:
    """Peak resident bytes over those of the imports."""
    imports = record["imports"]["mvps" if name.startswith("mvps") else "scripts"]["peak_bytes"]
    return float(record["runs"][maps][name]["peak_bytes"] - imports)


def show_case(record: Record, pixels: int) -> None:
    stacks, before = record["stacks"], record["startup"]
    print(
        f"\n== {record['case']}, start-up {before['mvps']['wall_s']:.2f} s "
        f"(scripts {before['scripts']['wall_s']:.2f} s); largest error "
        + ", ".join(f"{name} {e:.5f}" for name, e in record["largest_error_deg"].items())
        + " degrees"
    )
    for maps, title in TITLES.items():
        print(
            f"{title:30}{'ms/stack':>9}{'CPU ms':>8}{'2 workers faster':>18}"
            f"{'with start-up':>15}{'MB':>7}{'B/pixel':>9}"
        )
        runs = record["runs"][maps]
        for name, label in NAMES.items():
            if name in runs:
                print(line(record, maps, name, label, pixels))
        alone = runs["alone"]["wall"]
        total = seconds(record, maps, "alone", startup=False) / stacks
        parts = ", ".join(f"{stage} {alone[stage] * 1e3:.0f}" for stage in STAGES)
        over = ratio(record, maps, "mvps-1", "alone")
        print(f"{'(iii) stages alone':30}{total * 1e3:9.0f}  {parts}; 1 worker is {over:.2f}x")


def line(record: Record, maps: str, name: str, label: str, pixels: int) -> str:
    ours = name.startswith("mvps")
    run, stacks = record["runs"][maps][name], record["stacks"]
    solved = stacks if ours else record["baseline_stacks"]
    before = record["startup"]["mvps" if ours else "scripts"]["cpu_s"]
    plain, whole = (ratio(record, maps, name, "mvps-2", startup=s) for s in (False, True))
    extra = held(record, maps, name)
    return (
        f"  {label:28}{seconds(record, maps, name, startup=False) / stacks * 1e3:9.0f}"
        f"{(run['cpu_s'] - before) / solved * 1e3:8.0f}{plain:17.2f}x{whole:14.2f}x"
        f"{run['peak_bytes'] / 1e6:7.0f}{extra / pixels:9.2f}"
    )


def judge(records: list[Record], pixels: int) -> list[Record]:
    """The goals, each with its worst case here."""
    return [
        *script_claims(records),
        claim(
            "two workers at least 1.9 x one",
            [(ratio(r, m, "mvps-1", "mvps-2"), f"{r['case']} {m}") for r, m in runs(records)],
            1.9,
        ),
        claim(
            "one worker at most 1.10 x the stages alone",
            [(ratio(r, m, "mvps-1", "alone"), f"{r['case']} {m}") for r, m in runs(records)],
            1.10,
            at_most=True,
        ),
        claim(
            "two workers hold at most 2 bytes a pixel over the imports",
            [(held(r, m, "mvps-2") / pixels, f"{r['case']} {m}") for r, m in runs(records)],
            2.0,
            at_most=True,
        ),
        claim("K = 8 holds at most 0.5 bytes a pixel more than K = 4", growth(records, pixels), 0.5,
              at_most=True),
        claim(
            "default encoding errs by at most 0.0015 degrees",
            [(r["largest_error_deg"]["tiff"], r["case"]) for r in records],
            0.0015,
            at_most=True,
        ),
    ]  # fmt: skip


def script_claims(records: list[Record]) -> Iterator[Record]:
    """Two workers against both scripts, all maps written, without start-up and with it."""
    kinds: tuple[tuple[str, Callable[[Record], bool], int, int], ...] = (
        ("PNG to 16-bit PNG", lambda r: r["format"] == "png", 15, 6),
        ("TIFF to TIFF, uncompressed", lambda r: r["compression"] == "none", 60, 20),
        ("TIFF to TIFF, compressed", lambda r: r["compression"] in ("deflate", "zstd"), 60, 20),
    )
    for title, of_kind, first, second in kinds:
        for script, bound in (("lstsq", first), ("pinv", second)):
            for startup in (False, True):
                values = [
                    (ratio(r, "all", script, "mvps-2", startup=startup), r["case"])
                    for r in filter(of_kind, records)
                ]
                how = "with start-up" if startup else "without"
                text = f"{title}: at least {bound} x {NAMES[script]}, {how}"
                yield claim(text, values, bound)


def runs(records: list[Record]) -> Iterator[tuple[Record, str]]:
    return ((record, maps) for record in records for maps in TITLES)


def ratio(record: Record, maps: str, slow: str, fast: str, *, startup: bool = False) -> float:
    """How many times slower; not a number where start-up was longer than the whole run: noise."""
    slower, faster = (seconds(record, maps, name, startup=startup) for name in (slow, fast))
    return slower / faster if slower > 0 and faster > 0 else math.nan


def growth(records: list[Record], pixels: int) -> list[tuple[float, str]]:
    """Bytes a pixel that four more lights add to two workers."""
    by_name = {record["case"]: record for record in records}
    found = []
    for record, maps in runs(records):
        more = by_name.get(record["case"].replace("-k4", "-k8"))
        if record["lights"] == 4 and more:
            added = held(more, maps, "mvps-2") - held(record, maps, "mvps-2")
            found.append((added / pixels, f"{more['case']} {maps}"))
    return found


def claim(
    text: str, values: list[tuple[float, str]], bound: float, *, at_most: bool = False
) -> Record:
    values = [entry for entry in values if not math.isnan(entry[0])]
    if not values:
        return {"claim": text, "bound": bound, "measured": None, "where": "", "met": None}
    worst, where = max(values) if at_most else min(values)
    met = worst <= bound if at_most else worst >= bound
    return {"claim": text, "bound": bound, "measured": worst, "where": where, "met": met}


def show_claims(claims: list[Record], *, quick: bool) -> None:
    print("\ngoals, worst case" + (" (a quick run is too small to judge them)" if quick else ""))
    for entry in claims:
        if entry["met"] is None:
            print(f"  {entry['claim']}: unmeasured")
            continue
        verdict = "met" if entry["met"] else "MISSED"
        figure = f"{entry['measured']:.3g}"
        if "degrees" in entry["claim"]:
            figure = f"{entry['measured']:.6f}"
        print(f"  {entry['claim']}: {figure} ({verdict}; {entry['where']})")
