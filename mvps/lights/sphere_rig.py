"""From what each ball says to one set of lamps: agreement, findings, positions and a LightRig."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mvps.calib.geometry import unproject
from mvps.errors import InputError
from mvps.findings import Finding
from mvps.lights import near
from mvps.lights import sphere_model as model
from mvps.lights.diffuse_ball import Shading, fit_shading
from mvps.lights.highlight import RIVAL
from mvps.lights.rig import LightRig
from mvps.lights.sphere import (
    Ball,
    BallLights,
    ProbeOptions,
    ball_mask,
    highlight_sigma,
    measure_mirror,
)

Array = NDArray[np.float64]
Level = Literal["error", "warning"]

APART_DEGREES = 2.0  # between two balls, for a distant lamp
OUTLIER = 3.0  # times the median distance between balls
STRANGERS = 5.0  # degrees beyond which balls differ whatever the median
COVERED = 0.5  # of an outline, below which it may be another edge
FAR = 0.25  # standard deviation over distance beyond which a position is no measurement


@dataclass(frozen=True, eq=False)
class Positions:
    """Where near lamps stand.

    Attributes
    ----------
    points : (K, 3) mm, house frame, from the camera's centre
    covariances : (K, 3, 3) mm^2
    misses : (K,) mm, largest distance of a lamp from the rays of the balls
    centres : (B, 3) mm, centres of the balls
    """

    points: Array
    covariances: Array
    misses: Array
    centres: Array


@dataclass(frozen=True, eq=False)
class Probe:
    """The lamps, and what speaks for and against them.

    Attributes
    ----------
    rig : directions, with positions where they could be measured; None when a lamp is missing
    names : K images, those of the first ball
    balls : what each ball says
    shadings : for matt balls, K of each ball; empty for mirror balls
    agreement : (K,) largest angle in degrees between two balls; NaN with one ball
    positions : None without a camera, a radius and two balls
    findings : what may be wrong
    """

    rig: LightRig | None
    names: tuple[str, ...]
    balls: tuple[BallLights, ...]
    shadings: tuple[tuple[Shading | None, ...], ...]
    agreement: Array
    positions: Positions | None
    findings: tuple[Finding, ...]


def mirror_probe(balls: Sequence[Ball], options: ProbeOptions) -> Probe:
    """Lamps from mirror balls: distant ones, or near ones where two balls and a camera tell."""
    seen = tuple(measure_mirror(ball, options) for ball in balls)
    positions = _positions(seen, options)
    return _probe(seen, (), np.ones(len(seen[0].directions)), positions)


def diffuse_probe(balls: Sequence[Ball], options: ProbeOptions) -> Probe:
    """Distant lamps and their intensities from matt balls."""
    pairs = [_measure_matt(ball, options) for ball in balls]
    seen = tuple(lights for lights, _ in pairs)
    shadings = tuple(shading for _, shading in pairs)
    strengths = [
        [s.strength if s else np.full(b.crop.samples.shape[3], np.nan) for s in row]
        for b, row in zip(balls, shadings, strict=True)
    ]
    # Balls may be painted unlike: each counts relative to its own mean.
    relative = [np.array(row) / np.nanmean(row) for row in strengths]
    intensities = _mean(np.stack(relative))
    return _probe(seen, shadings, intensities[:, 0] if intensities.shape[1] == 1 else intensities)


def _mean(stack: Array) -> Array:
    """Mean over the first axis of what is finite; NaN where nothing is."""
    known = np.isfinite(stack)
    count = known.sum(axis=0)
    total = np.where(known, stack, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _measure_matt(
    ball: Ball, options: ProbeOptions
) -> tuple[BallLights, tuple[Shading | None, ...]]:
    inside = ball_mask(ball)
    rows, columns = np.nonzero(inside)
    pixels = np.stack([columns, rows], axis=1).astype(np.float64) + np.array(
        ball.crop.offset, dtype=float
    )
    if ball.cone is None or ball.camera is None:
        normals = model.orthographic_normals(ball.outline.ellipse, pixels)
    else:
        rays, _ = unproject(ball.camera, pixels)
        centre = model.sphere_centre(ball.cone.m, 1.0)
        points, _ = model.hit_sphere(rays, centre, 1.0)
        normals = model.to_house(points - centre)
    known = np.isfinite(normals).all(axis=1)
    samples = ball.crop.samples[:, rows[known], columns[known]].astype(np.float64)
    found = tuple(fit_shading(image, normals[known]) for image in samples)
    K = len(found)
    directions = np.array([s.direction if s else np.full(3, np.nan) for s in found])
    sigmas = np.array([s.sigma if s else np.nan for s in found])
    bounds = None
    if ball.cone is None:
        # Every normal counts, so that the bound is that of the rim.
        at = np.broadcast_to(ball.outline.ellipse.points(1)[0], (K, 2))
        bounds = model.orthographic_bound(ball.outline.ellipse, at, ball.size, options.view_degrees)
    nowhere = np.full((K, 2), np.nan)
    return BallLights(ball, directions, sigmas, bounds, (None,) * K, nowhere), found


def _probe(
    seen: tuple[BallLights, ...],
    shadings: tuple[tuple[Shading | None, ...], ...],
    intensities: Array,
    positions: Positions | None = None,
) -> Probe:
    names = tuple(path.name for path in seen[0].ball.images)
    stack = np.stack([lights.directions for lights in seen])
    mean = _mean(stack)
    agreement = _agreement(stack)
    findings = list(_findings(seen, bool(shadings), agreement, positions))
    rig = None
    if np.isfinite(mean).all() and np.isfinite(intensities).all():
        near_enough = positions is not None and _is_near(positions).all()
        rig = _rig(seen, mean, intensities, names, positions if near_enough else None)
    return Probe(rig, names, seen, shadings, agreement, positions, tuple(findings))


def _rig(
    seen: tuple[BallLights, ...],
    mean: Array,
    intensities: Array,
    names: tuple[str, ...],
    positions: Positions | None,
) -> LightRig:
    directions = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    points = None
    if positions is not None:
        points = positions.points
        towards = points - positions.centres.mean(axis=0)
        directions = towards / np.linalg.norm(towards, axis=1, keepdims=True)
    source = ", ".join(lights.ball.name for lights in seen)
    return LightRig(directions, intensities, positions=points, names=names, source=source)


def _agreement(stack: Array) -> Array:
    """(K,) largest angle in degrees between the directions (B, K, 3) of any two balls."""
    largest = np.full(stack.shape[1], np.nan)
    for i in range(len(stack)):
        for j in range(i + 1, len(stack)):
            chord = np.linalg.norm(stack[i] - stack[j], axis=1)
            largest = np.fmax(largest, np.degrees(2 * np.arcsin(np.clip(chord / 2, 0, 1))))
    return largest


def _positions(seen: tuple[BallLights, ...], options: ProbeOptions) -> Positions | None:
    camera, radius = options.camera, options.radius_mm
    cones = [lights.ball.cone for lights in seen]
    known = [cone for cone in cones if cone is not None]
    if camera is None or radius is None or len(known) < 2 or len(known) < len(cones):
        return None
    radii = np.full(len(known), radius)
    pixels = np.stack([lights.pixels for lights in seen], axis=1)
    rays, _ = unproject(camera, pixels)
    m = np.broadcast_to(np.stack([cone.m for cone in known]), rays.shape)
    sigmas = np.array(
        [
            [highlight_sigma(lights.ball, spot, options.noise_px) for spot in lights.highlights]
            for lights in seen
        ]
    ).T
    points = near.lamp(m, rays, radii)
    covariances = near.lamp_covariance(
        m,
        rays,
        radii,
        cone_covariances=np.broadcast_to(np.stack([c.covariance for c in known]), (*m.shape, 3)),
        ray_derivatives=model.ray_derivative(camera, pixels),
        highlight_sigmas=sigmas,
    )
    origins, directions = near.mirrored(m, rays, radii)
    flip = model.to_house(np.eye(3))
    return Positions(
        points=model.to_house(points),
        covariances=flip @ covariances @ flip,
        misses=near.misses(points, origins, directions).max(axis=1),
        centres=model.to_house(np.stack([model.sphere_centre(c.m, radius) for c in known])),
    )


def _is_near(positions: Positions) -> NDArray[np.bool_]:
    """(K,) whether a position is known to a fraction of its distance, and before the balls."""
    apart = np.linalg.norm(positions.points - positions.centres.mean(axis=0), axis=1)
    trace = np.trace(positions.covariances, axis1=1, axis2=2)
    return np.asarray(np.sqrt(trace) < FAR * apart)


def _findings(
    seen: tuple[BallLights, ...], matt: bool, agreement: Array, positions: Positions | None
) -> Iterator[Finding]:
    known = [np.isfinite(lights.directions).all(axis=1) for lights in seen]
    elsewhere = np.asarray(np.stack(known).any(axis=0), dtype=np.bool_)
    for lights in seen:
        yield from _ball_findings(lights, matt, elsewhere)
    yield from _parallel(seen)
    names = [path.name for path in seen[0].ball.images]
    if positions is not None:
        for k in np.flatnonzero(np.all(known, axis=0) & ~_is_near(positions)):
            yield Finding(
                "warning",
                "FAR",
                f"{names[k]}: too far for its position to be measured; the lamps are taken as "
                "distant (balls farther apart, or a longer focal length, would help)",
            )
        return
    typical = float(np.nanmedian(agreement)) if np.isfinite(agreement).any() else 0.0
    for k in np.flatnonzero(agreement > max(APART_DEGREES, min(STRANGERS, OUTLIER * typical))):
        yield Finding(
            "warning",
            "APART",
            f"{names[k]}: the balls differ by {agreement[k]:.2f} degrees (median {typical:.2f}): "
            "a near lamp, or another reflection was taken for it; look at --picture",
        )


def _parallel(seen: tuple[BallLights, ...]) -> Iterator[Finding]:
    bounds = [lights.bounds for lights in seen if lights.bounds is not None]
    if bounds and np.isfinite(bounds).any():
        yield Finding(
            "warning",
            "PARALLEL",
            "no camera: view rays are taken for parallel, and directions may be off by up to "
            f"{np.nanmax(bounds):.1f} degrees if these are whole photographs with the field of "
            "view that --fov states; give --camera",
        )


def _ball_findings(
    lights: BallLights, matt: bool, elsewhere: NDArray[np.bool_]
) -> Iterator[Finding]:
    """``elsewhere``: (K,) whether some ball tells of the lamp."""
    ball = lights.ball
    if ball.outline.coverage < COVERED:
        text = (
            f"{ball.name}: only {ball.outline.coverage:.0%} of the outline was found; it may be "
            "another edge: look at --picture, or give --ball"
        )
        yield Finding("warning", "OUTLINE", text)
    what = "shading" if matt else "highlight"
    for k, path in enumerate(ball.images):
        spot, where = lights.highlights[k], f"{path.name} ({ball.name})"
        level: Level = "warning" if elsewhere[k] else "error"
        known = bool(np.isfinite(lights.directions[k]).all())
        if not known and (matt or spot is None):
            text = f"{where}: no {what} on the ball; is the lamp on, and does it reach the ball?"
            yield Finding(level, "MISSING", text)
        elif not known and spot is not None:
            x, y = lights.pixels[k]
            text = f"{where}: the highlight at {x:.0f},{y:.0f} lies outside the ball; check --ball"
            yield Finding(level, "OUTSIDE", text)
        elif spot is not None and spot.rival > RIVAL:
            text = (
                f"{where}: a second reflection has {spot.rival:.0%} of the light of the one taken; "
                "cover what shines, or look at --picture"
            )
            yield Finding("warning", "RIVAL", text)


def require_positions(balls: Sequence[Ball], options: ProbeOptions) -> None:
    """Refuse to promise positions that cannot be had.

    Raises
    ------
    InputError
        The camera, the radius or a second ball is missing.
    """
    if options.camera is None:
        raise InputError("--positions", "needs the camera", "give --camera FILE")
    if options.radius_mm is None:
        raise InputError("--positions", "needs the radius of the balls", "give --radius-mm")
    if len(balls) < 2:
        raise InputError("--positions", "needs two balls or more", "photograph another ball")
