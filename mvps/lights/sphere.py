"""A light probe from photographs to lamps: outlines, highlights, directions and positions.

Lensch et al. (ACM TOG 22, 2003) locate lamps by several mirror balls alike; the models are those of
`mvps.lights.sphere_model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera
from mvps.calib.geometry import unproject
from mvps.errors import InputError
from mvps.images.response import Response, parse_response
from mvps.lights import sphere_model as model
from mvps.lights.highlight import Highlight, Method, find_highlights
from mvps.lights.near import derivative
from mvps.lights.sphere_ellipse import Ellipse
from mvps.lights.sphere_input import (
    BallCrop,
    ProbeFolder,
    crop_balls,
    grey,
    list_probes,
    outline_image,
)
from mvps.lights.sphere_outline import Outline, find_balls, given_outline, refine_outline

Array = NDArray[np.float64]

GIVEN_SIGMA = 0.5  # px, of an outline that was stated in numbers
OUTLINE_POINTS = 360  # that stand for an outline stated in numbers
_RIM = 0.97  # of the outline; beyond it surroundings shine through its blur


@dataclass(frozen=True)
class ProbeOptions:
    """How photographs of balls are understood.

    Attributes
    ----------
    camera : None takes the orthographic model
    radius_mm : of every ball; positions need it
    noise_px : standard deviation of outline points and highlights; estimated when None
    view_degrees : diagonal field of view that an unknown camera has at most
    method : how the place of a highlight is computed
    response : curve of the camera
    white : value of a saturated sample; that of the file's depth when None
    reference : name of the photograph in which to find the balls; ``ref.*`` when None
    count : balls to find in each folder
    refine : move the given outlines to the edges near them
    """

    camera: Camera | None = None
    radius_mm: float | None = None
    noise_px: float | None = None
    view_degrees: float = 40.0
    method: Method = "auto"
    response: Response = field(default_factory=lambda: parse_response("linear"))
    white: float | None = None
    reference: str | None = None
    count: int = 1
    refine: bool = False


@dataclass(frozen=True, eq=False)
class Ball:
    """One ball and the photographs of it.

    Attributes
    ----------
    name : for messages
    outline : in raw px
    camera, cone : of the perspective model; both None with the orthographic one
    size : (width, height) of the photographs
    crop : their part that shows the ball
    images : K paths
    """

    name: str
    outline: Outline
    camera: Camera | None
    cone: model.Cone | None
    size: tuple[int, int]
    crop: BallCrop
    images: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class BallLights:
    """What one ball says of the lamps.

    Attributes
    ----------
    ball : the ball
    directions : (K, 3) unit, house frame; NaN where nothing was found
    sigmas : (K,) degrees, of a direction, from the noise of outline and highlight
    bounds : (K,) degrees, what the orthographic model may be off; None with a camera
    highlights : K, None where there is none
    pixels : (K, 2) raw px of the highlights, NaN where there is none
    """

    ball: Ball
    directions: Array
    sigmas: Array
    bounds: Array | None
    highlights: tuple[Highlight | None, ...]
    pixels: Array


def load_balls(
    paths: Sequence[Path], given: Sequence[Ellipse], options: ProbeOptions
) -> tuple[Ball, ...]:
    """Balls in the photographs of one or more folders.

    Parameters
    ----------
    paths : folders with one photograph a lamp, or one with such folders in it
    given : outlines; all in the one folder, or one a folder. Looked for when empty

    Raises
    ------
    InputError
        As `list_probes`; no ball is found; the camera's size is not that of the photographs.
    """
    folders = list_probes(paths, options.reference)
    camera = options.camera
    for folder in folders:
        if camera is not None and folder.size != camera.image_size:
            width, height = camera.image_size
            raise InputError(
                folder.path,
                "images of {}x{}, but ".format(*folder.size) + f"the camera's are {width}x{height}",
                "give uncropped photographs, or a camera for these",
            )
    if given and len(folders) > 1 and len(given) != len(folders):
        raise InputError(
            "--ball", f"{len(given)} outlines for {len(folders)} folders", "give one a folder"
        )
    balls: list[Ball] = []
    for i, folder in enumerate(folders):
        stated = given if len(folders) == 1 else given[i : i + 1]
        outlines = _outlines(folder, stated, options)
        crops = crop_balls(folder, [o.ellipse for o in outlines], options.response, options.white)
        for j, (outline, crop) in enumerate(zip(outlines, crops, strict=True), start=1):
            name = folder.path.name + (f" ball {j}" if len(outlines) > 1 else "")
            cone = None if camera is None else _cone(camera, outline, options.noise_px)
            balls.append(Ball(name, outline, camera, cone, folder.size, crop, folder.images))
    return tuple(balls)


def _outlines(
    folder: ProbeFolder, given: Sequence[Ellipse], options: ProbeOptions
) -> list[Outline]:
    corner = np.array(folder.size)
    for ellipse in given:
        points = ellipse.points(64)
        if (points.max(axis=0) < 0).any() or (points.min(axis=0) > corner - 1).any():
            raise InputError(folder.path, "the ball that was given lies outside the image")
    if given and not options.refine:
        return [given_outline(ellipse) for ellipse in given]
    image = outline_image(folder, options.response, options.white)
    if not given:
        found = list(find_balls(image, options.count))
        if len(found) < options.count:
            raise InputError(
                folder.path,
                f"{len(found)} of {options.count} balls found",
                "give each as --ball x,y,r in px, or add a photograph ref.png with the room lit",
            )
        return found
    refined = [refine_outline(image, ellipse) for ellipse in given]
    if None in refined:
        raise InputError(
            folder.path, "no outline near the ball that was given", "leave out --refine"
        )
    return [outline for outline in refined if outline is not None]


def _cone(camera: Camera, outline: Outline, noise: float | None) -> model.Cone:
    if len(outline.points):
        return model.outline_cone(camera, outline.points, noise)
    points = outline.ellipse.points(OUTLINE_POINTS)
    # Points of stated numbers are not independent: all of them together are as good as five.
    sigma = (GIVEN_SIGMA if noise is None else noise) * np.sqrt(OUTLINE_POINTS / 5)
    return model.outline_cone(camera, points, float(sigma))


def measure_mirror(ball: Ball, options: ProbeOptions) -> BallLights:
    """Directions of the lamps that are reflected in a mirror ball."""
    offset = np.array(ball.crop.offset, dtype=np.float64)
    inside = ball_mask(ball)
    spots = _spots(grey(ball.crop.samples), inside, options.method)
    pixels = np.array([(s.x, s.y) if s else (np.nan, np.nan) for s in spots]) + offset
    noise = [highlight_sigma(ball, spot, options.noise_px) for spot in spots]
    if ball.camera is None or ball.cone is None:
        directions = model.orthographic_directions(ball.outline.ellipse, pixels)
        sigmas = _orthographic_sigmas(ball, pixels, np.array(noise))
        bounds = model.orthographic_bound(
            ball.outline.ellipse, pixels, ball.size, options.view_degrees
        )
        return BallLights(ball, directions, sigmas, bounds, spots, pixels)
    rays, _ = unproject(ball.camera, pixels)
    _, seen = model.mirror_rays(ball.cone.m, rays)
    sigmas = _perspective_sigmas(ball.camera, ball.cone, pixels, np.array(noise))
    return BallLights(ball, model.to_house(seen), sigmas, None, spots, pixels)


def _spots(
    images: Array, inside: NDArray[np.bool_], method: Method
) -> tuple[Highlight | None, ...]:
    """Highlights on the ball; where there is none, what shines beside it, for a better message."""
    found = find_highlights(images, inside, method)
    if None in found:
        anywhere = find_highlights(images, np.ones_like(inside), method)
        found = [spot or other for spot, other in zip(found, anywhere, strict=True)]
    return tuple(found)


def ball_mask(ball: Ball) -> NDArray[np.bool_]:
    """(h, w) pixels of a crop that show the ball, but for its rim."""
    height, width = ball.crop.samples.shape[1:3]
    x, y = np.meshgrid(np.arange(float(width)), np.arange(float(height)))
    points = np.stack([x, y], axis=-1) + np.array(ball.crop.offset)
    return np.asarray(np.linalg.norm(ball.outline.ellipse.to_disc(points), axis=-1) < _RIM)


def highlight_sigma(ball: Ball, spot: Highlight | None, noise: float | None) -> float:
    """Standard deviation of each coordinate of a highlight, px.

    Where none is stated: that of an outline point, and what the shape of the spot leaves open.
    """
    if noise is not None:
        return noise
    outline = ball.outline.sigma or GIVEN_SIGMA
    return float(np.hypot(outline, spot.doubt)) if spot else float("nan")


def _perspective_sigmas(camera: Camera, cone: model.Cone, pixels: Array, noise: Array) -> Array:
    rays, _ = unproject(camera, pixels)
    m = np.broadcast_to(cone.m, rays.shape)[:, None, :]
    by_cone = derivative(lambda x: model.mirror_rays(x[..., 0, :], rays)[1], m)[..., 0, :]
    by_ray = derivative(
        lambda x: model.mirror_rays(
            cone.m, x[..., 0, :] / np.linalg.norm(x[..., 0, :], axis=-1, keepdims=True)
        )[1],
        rays[:, None, :],
    )[..., 0, :]
    pixel = by_ray @ model.ray_derivative(camera, pixels) * noise[:, None, None]
    total = by_cone @ cone.covariance @ np.swapaxes(by_cone, -1, -2)
    return _degrees_of(total + pixel @ np.swapaxes(pixel, -1, -2))


def _orthographic_sigmas(ball: Ball, pixels: Array, noise: Array) -> Array:
    """As `_perspective_sigmas`, by centre x, y and shape xx, xy, yy of the ellipse."""
    ellipse, step = ball.outline.ellipse, 1e-4
    covariance = ball.outline.covariance
    if not covariance.any():
        covariance = np.diag([1.0, 1.0, 1.0, 0.5, 1.0]) * GIVEN_SIGMA**2
    slopes = []
    for i in range(5):
        ends = []
        for sign in (1, -1):
            dx, dy, xx, xy, yy = sign * step * np.eye(5)[i]
            shape = ellipse.shape + np.array([[xx, xy], [xy, yy]])
            moved = Ellipse(ellipse.centre + np.array([dx, dy]), shape)
            ends.append(model.orthographic_directions(moved, pixels))
        slopes.append((ends[0] - ends[1]) / (2 * step))
    by_outline = np.stack(slopes, axis=-1)
    # A highlight that moves by a pixel is a centre that moves back by one.
    by_pixel = by_outline[..., :2] * noise[:, None, None]
    total = by_outline @ covariance @ np.swapaxes(by_outline, -1, -2)
    return _degrees_of(total + by_pixel @ np.swapaxes(by_pixel, -1, -2))


def _degrees_of(covariance: Array) -> Array:
    """Root mean square angle a coordinate, degrees, of the covariance (K, 3, 3) of a direction."""
    trace = np.trace(covariance, axis1=-2, axis2=-1)
    return np.asarray(np.degrees(np.sqrt(trace / 2)), dtype=np.float64)
