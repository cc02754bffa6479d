"""From views of a board to cameras with poses, what is known of them, and a file of it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mvps.calib.board import Board
from mvps.calib.board_checks import check_calibration
from mvps.calib.board_rig import CAMERA_FRAME, Rig, calibrate_rig, fingerprint, world_cameras
from mvps.calib.board_solve import Calibration, Model, calibrate
from mvps.calib.board_views import ViewSet
from mvps.calib.camera import Camera
from mvps.calib.formats.detect import write_cameras
from mvps.calib.formats.registry import FORMATS
from mvps.errors import InputError
from mvps.findings import Finding
from mvps.plotting import check_plot_path
from mvps.yaml_nodes import did_you_mean

METHOD = (
    "standard deviations from the residuals and the degrees of freedom left, all free parameters "
    "and board poses estimated together; they hold for this lens setting and this model alone"
)


@dataclass(frozen=True, eq=False)
class Recalibration:
    """Result of :func:`recalibrate`.

    Attributes
    ----------
    cameras : with poses in one world frame
    calibrations : the same cameras, with all that is known of them
    rig : mounts and pairs, or None for one camera
    blank : by camera, the images in which the board was not found
    findings : warnings
    """

    cameras: tuple[Camera, ...]
    calibrations: tuple[Calibration, ...]
    rig: Rig | None
    blank: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the corners, for JSON."""
        board = self.calibrations[0].board
        return {
            "board": {**asdict(board), "corners": len(board.points())},
            "model": asdict(self.calibrations[0].model),
            "cameras": [
                {
                    **_camera_dict(camera, calibration),
                    "blank": list(self.blank[calibration.name]),
                }
                for camera, calibration in zip(self.cameras, self.calibrations, strict=True)
            ],
            "rig": None if self.rig is None else _rig_dict(self.rig),
            "findings": [vars(finding) for finding in self.findings],
        }


def recalibrate(
    board: Board, sets: Sequence[ViewSet], model: Model, *, world: str | None = None
) -> Recalibration:
    """Calibrate one camera, or the cameras of a rig.

    Parameters
    ----------
    sets : views of each camera; views of one name were taken at one time
    world : name of the view whose board is the world frame, or "camera"; by default the first view
        that every camera sees

    Raises
    ------
    InputError
        As :func:`mvps.calib.board_solve.calibrate` and :func:`mvps.calib.board_rig.calibrate_rig`.
    """
    blank = {one.name: one.blank for one in sets}
    findings = [finding for one in sets for finding in _blank_finding(one)]
    if len(sets) == 1:
        (one,) = sets
        calibration = calibrate(board, one.views, one.image_size, model, name=one.name)
        findings += check_calibration(calibration)
        camera = _single(calibration, world)
        return Recalibration((camera,), (calibration,), None, blank, tuple(findings))
    views = {one.name: one.views for one in sets}
    sizes = {one.name: one.image_size for one in sets}
    rig = calibrate_rig(board, views, sizes, model)
    for calibration in rig.cameras:
        findings += check_calibration(calibration)
    findings += [_moved_finding(name) for name in rig.moved]
    cameras = world_cameras(rig, world)
    return Recalibration(cameras, rig.cameras, rig, blank, tuple(findings))


def check_target(target: Path, format: str, *, overwrite: bool = False) -> None:
    """Refuse a place to write to before anything is computed.

    Raises
    ------
    InputError
        An unknown format, a missing folder, or a file that exists.
    """
    if format not in FORMATS:
        raise InputError("--format", f"unknown format {format!r}", did_you_mean(format, FORMATS))
    if not target.absolute().parent.is_dir():
        raise InputError(target, "its folder does not exist", "make the folder first")
    if target.is_file() and not overwrite:
        raise InputError(target, "exists", "name another file, or pass --overwrite")


def check_report(report: Path, target: Path | None, *, overwrite: bool = False) -> None:
    """Refuse a place for the picture before anything is computed.

    Raises
    ------
    InputError
        No picture's name, the file of the cameras, or a file that exists.
    """
    check_plot_path(report)
    if target is not None and report.absolute() == target.absolute():
        raise InputError(report, "is also the file of --out", "name another file for the picture")
    if report.exists() and not overwrite:
        raise InputError(report, "exists", "name another file, or pass --overwrite")


def write_recalibration(
    result: Recalibration,
    target: Path,
    format: str = "mvps",
    *,
    allow_loss: bool = False,
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write the cameras; a file of mvps also gets the block ``uncertainty``.

    Raises
    ------
    InputError
        As :func:`mvps.calib.write_cameras`.
    """
    return write_cameras(
        result.cameras,
        target,
        format,
        allow_loss=allow_loss,
        overwrite=overwrite,
        extra={"uncertainty": uncertainty(result)},
    )


def uncertainty(result: Recalibration) -> dict[str, Any]:
    """What is known of each parameter: deviations, errors, number of views; for a camera file."""
    cameras = {}
    for calibration in result.calibrations:
        figures = _figures(calibration)
        figures["views"] = len(calibration.views)
        figures["deviations"] = {
            name: deviation for name, (_, deviation) in calibration.parameters().items()
        }
        cameras[calibration.name] = figures
    found: dict[str, Any] = {"method": METHOD, "cameras": cameras}
    if result.rig is not None:
        found["rig"] = _rig_dict(result.rig)
    return found


def _figures(calibration: Calibration) -> dict[str, Any]:
    return {
        "rms_px": calibration.rms(),
        "held_out_px": calibration.held_out,
        "noise_px": calibration.noise,
        "condition": calibration.condition,
        "corners": sum(len(view.corners) for view in calibration.views),
    }


def _camera_dict(camera: Camera, calibration: Calibration) -> dict[str, Any]:
    views = zip(
        calibration.views,
        calibration.view_rms(),
        calibration.tilts(),
        calibration.distances(),
        strict=True,
    )
    return {
        "name": calibration.name,
        "image_size": list(calibration.image_size),
        "frame_id": camera.frame_id,
        "parameters": {
            name: {"value": value, "deviation": deviation}
            for name, (value, deviation) in calibration.parameters().items()
        },
        **_figures(calibration),
        "views": [
            {
                "name": view.name,
                "corners": len(view.corners),
                "rms_px": rms,
                "tilt_deg": tilt,
                "distance_mm": distance,
                "distance_deviation_mm": deviation,
            }
            for view, rms, tilt, (distance, deviation) in views
        ],
    }


def _rig_dict(rig: Rig) -> dict[str, Any]:
    deviations = np.sqrt(np.diagonal(rig.mount_covariances, axis1=1, axis2=2))
    return {
        "pairs": [asdict(pair) for pair in rig.pairs],
        "moved": list(rig.moved),
        "mount_deviations": {
            one.name: {
                "rotation_deg": np.degrees(row[:3]).tolist(),
                "translation_mm": row[3:].tolist(),
            }
            for one, row in zip(rig.cameras[1:], deviations[1:], strict=True)
        },
    }


def _single(calibration: Calibration, world: str | None) -> Camera:
    names = [view.name for view in calibration.views]
    name = names[0] if world is None else world
    if name == CAMERA_FRAME:
        return calibration.camera()
    if name not in names:
        remedy = f"name a view in which it is, such as {names[0]}"
        raise InputError("--world", f"no view {name!r} in which the board was found", remedy)
    frame = f"{name}-{fingerprint([calibration])}"
    return calibration.camera(calibration.poses[names.index(name)], frame)


def _blank_finding(views: ViewSet) -> list[Finding]:
    if not views.blank:
        return []
    some = ", ".join(views.blank[:3]) + (", ..." if len(views.blank) > 3 else "")
    count = len(views.blank)
    images = "1 image" if count == 1 else f"{count} images"
    return [Finding("warning", "blank", f"{views.name}: no board found in {images} ({some})")]


def _moved_finding(name: str) -> Finding:
    text = f"view {name}: the board was not in one place for all cameras; not used for the mounts"
    return Finding("warning", "moved-board", text)
