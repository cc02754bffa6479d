"""Renderer: a scene, built once, seen by any camera under any lights, with its exact truth.

Lamps are no part of the scene: every sample of a pixel is traced once, then lit and shadowed by
each lamp in turn. The integrand is the house's own; Mitsuba 3 (Jakob et al., 2022) traces the rays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib.geometry import pixel_grid, pose, unproject
from mvps.calib.transforms import NORMAL_FLIP
from mvps.errors import InputError
from mvps.synth.mesh import corner_normals
from mvps.synth.mitsuba_door import open_mitsuba
from mvps.synth.renderer_light import lamp_rows
from mvps.synth.renderer_ops import Value
from mvps.synth.renderer_rays import Tile, chance, make_eye, tiles
from mvps.synth.renderer_surface import make_tables
from mvps.synth.renderer_trace import make_tracer
from mvps.synth.renderer_wave import Sample, World, bounced, direct, primary, studio, truth
from mvps.synth.scene import Scene
from mvps.synth.truth import Seen, Truth
from mvps.synth.views import View, check_view

GROUP = 4  # lamps that share the rays of the camera; a kernel is compiled for this number
WAYS = 2  # glossy ones of a sample in the studio
SPARE_BITS = 8  # of a seed's 32, for the purposes of random numbers
MAX_SAMPLES = 4096
PLATE, NOTHING = -1, -2  # in place of a face

Images = NDArray[np.float32]


class Renderer:
    """A scene ready to be seen.

    The same seed gives the same bytes on one machine, whatever the number of threads.

    Parameters
    ----------
    scene : what is seen
    seed : of the places of samples in pixels and of random directions
    variant : of Mitsuba; the fastest that works here when None, see ``mitsuba_door``

    Raises
    ------
    InputError
        Mitsuba is not installed.
    """

    def __init__(self, scene: Scene, *, seed: int = 0, variant: str | None = None) -> None:
        if seed < 0:
            raise InputError("seed", f"{seed} is negative", "use 0 or more")
        mi = open_mitsuba(variant)
        self.scene = scene
        self.seed = int(np.random.SeedSequence(seed).generate_state(1)[0]) >> SPARE_BITS
        part = scene.part
        vertices, faces = scene.plate()
        self._vertices = np.concatenate([part.vertices, vertices])
        self._faces = np.concatenate([part.faces, faces + np.int32(len(part.vertices))])
        normals = np.concatenate([corner_normals(part), np.full((len(faces), 3, 3), [0, 0, 1.0])])
        material = np.concatenate([part.material, np.full(len(faces), len(part.materials))])
        tracer = make_tracer(mi, self._vertices, self._faces)
        corners = self._vertices[self._faces]
        tables = make_tables(tracer.ops, corners, normals, material, scene.materials())
        self._world = World(tracer, tables)

    def light_images(
        self, view: View, samples: int = 16, *, interreflection: bool = False
    ) -> Images:
        """One image a lamp: linear radiance, direct light with shadows.

        Parameters
        ----------
        view : camera and lamps
        samples : a pixel, over its whole area (box filter)
        interreflection : add light that arrives over one other surface

        Returns
        -------
        images : (K, H, W, 3) float32; albedo * intensity * cos on a matt surface, see
            ``renderer_light``; 0 where nothing is seen

        Raises
        ------
        InputError
            The camera does not see the part, or has no pose.
        """
        width, height = view.camera.image_size
        out = np.empty((len(view.lights), height, width, 3), np.float32)
        for first in range(0, len(view.lights), GROUP):
            self._lamps(view, first, out[first : first + GROUP], samples, interreflection)
        return out

    def each_light(
        self, view: View, samples: int = 16, *, interreflection: bool = False
    ) -> Iterator[Images]:
        """The images of :meth:`light_images`, (H, W, 3), one after the other: large ones fit."""
        width, height = view.camera.image_size
        for k in range(len(view.lights)):
            out = np.empty((1, height, width, 3), np.float32)
            self._lamps(view, k, out, samples, interreflection)
            yield out[0]

    def diffuse(self, view: View, samples: int = 16) -> Images:
        """Photograph (H, W, 3) float32 under a dome with soft boxes: linear radiance, about 0 to 1.

        Contact shadows and first reflections of the surroundings are there; see
        ``renderer_studio``.
        """
        check_view(view, self.scene.part)
        ops, world = self._world.ops, self._world
        width, height = view.camera.image_size
        out = np.empty((1, height, width, 3), np.float32)
        eye = make_eye(ops, view.camera)

        def sample(tile: Tile, at: Sample) -> list[Value]:
            surface, viewer = primary(world, eye, tile, at)
            matt = chance(ops, tile, self.seed, at.number, 1)
            glossy = [
                chance(ops, tile, self.seed, at.number * ops.index(WAYS) + ops.index(way), 2)
                for way in range(WAYS)
            ]
            return [studio(world, surface, viewer, matt, glossy)]

        for tile in tiles(ops, view.camera):
            self._mean(tile, samples, sample, out)
        picture: Images = out[0]
        return picture

    def coverage(self, view: View, samples: int = 16) -> Images:
        """Share (H, W) float32 of the samples of a picture that meet a labelled face first.

        The places of the samples are those of :meth:`light_images` and :meth:`diffuse`, so that a
        pixel is covered as far as its value is made by the defect.
        """
        check_view(view, self.scene.part)
        ops, world = self._world.ops, self._world
        width, height = view.camera.image_size
        out = np.zeros((1, height, width), np.float32)
        label = self.scene.part.label
        if label.any():
            eye = make_eye(ops, view.camera)
            plate = np.zeros(len(self._faces) - len(label), bool)
            labelled = ops.table(np.concatenate([label > 0, plate]))

            def sample(tile: Tile, at: Sample) -> list[Value]:
                surface, _ = primary(world, eye, tile, at)
                return [ops.select(surface.valid, ops.gather(labelled, surface.face), 0.0)]

            for tile in tiles(ops, view.camera):
                self._mean(tile, samples, sample, out)
        share: Images = out[0]
        return share

    def truth(self, view: View) -> Truth:
        """What is true of every pixel; see :class:`Truth`."""
        check_view(view, self.scene.part)
        ops = self._world.ops
        width, height = view.camera.image_size
        K = len(view.lights)
        out = Truth(
            normals=np.zeros((height, width, 3), np.float32),
            depth=np.full((height, width), np.nan, np.float32),
            height=np.full((height, width), np.nan, np.float32),
            albedo=np.zeros((height, width, 3), np.float32),
            part=np.zeros((height, width), bool),
            label=np.zeros((height, width), np.int16),
            shadow=np.zeros((K, height, width), bool),
            highlight=np.zeros((K, height, width), bool),
        )
        eye = make_eye(ops, view.camera)
        lamps = ops.table(lamp_rows(view.lights, view.camera))
        for tile in tiles(ops, view.camera):
            rows = slice(tile.y0, tile.y1)
            for first in range(0, K, GROUP):
                numbers = [ops.index(k) for k in range(first, min(first + GROUP, K))]
                at, shadows, highlights = truth(self._world, eye, tile, lamps, numbers)
                ops.keep(at.valid, at.face, at.normal, at.colour, *shadows, *highlights)
                for k, (shadow, highlight) in enumerate(zip(shadows, highlights, strict=True)):
                    out.shadow[first + k, rows] = _flat(ops, shadow, tile)
                    out.highlight[first + k, rows] = _flat(ops, highlight, tile)
                if first == 0:
                    self._surfaces(view, tile, at, out)
        return out

    def seen(self, view: View) -> Seen:
        """The face that the centre of every pixel sees first, and its depth."""
        check_view(view, self.scene.part)
        ops = self._world.ops
        width, height = view.camera.image_size
        face = np.empty((height, width), np.int32)
        depth = np.empty((height, width), np.float32)
        eye = make_eye(ops, view.camera)
        for tile in tiles(ops, view.camera):
            at, _ = primary(self._world, eye, tile, None)
            ops.keep(at.valid, at.face)
            rows = slice(tile.y0, tile.y1)
            face[rows] = self._numbers(at, tile)
            depth[rows], _ = self._places(view, tile, at)
        return Seen(face, depth)

    def _lamps(
        self, view: View, first: int, out: Images, samples: int, interreflection: bool
    ) -> None:
        """Images of the lamps from ``first`` on, as many as ``out`` holds."""
        check_view(view, self.scene.part)
        ops, world = self._world.ops, self._world
        eye = make_eye(ops, view.camera)
        lamps = ops.table(lamp_rows(view.lights, view.camera))
        numbers = [ops.index(first + k) for k in range(len(out))]

        def sample(tile: Tile, at: Sample) -> list[Value]:
            surface, viewer = primary(world, eye, tile, at)
            images = direct(world, surface, viewer, lamps, numbers)
            if interreflection:
                random = chance(ops, tile, self.seed, at.number, 0)
                more = bounced(world, surface, viewer, lamps, numbers, random=random)
                images = [a + b for a, b in zip(images, more, strict=True)]
            return images

        for tile in tiles(ops, view.camera):
            self._mean(tile, samples, sample, out)

    def _mean(
        self,
        tile: Tile,
        samples: int,
        sample: Callable[[Tile, Sample], list[Value]],
        out: Images,
    ) -> None:
        """Mean of the samples of a tile's pixels into its rows of ``out`` (n, H, W[, 3])."""
        if not 1 <= samples <= MAX_SAMPLES:
            raise InputError("samples", f"{samples} is not in 1 to {MAX_SAMPLES}")
        ops = self._world.ops
        total: list[Value] = [0.0] * len(out)
        for number in range(samples):
            at = Sample(self.seed, ops.index(number), ops.index(samples))
            total = [a + b for a, b in zip(total, sample(tile, at), strict=True)]
            ops.keep(*total)
        rows = slice(tile.y0, tile.y1)
        for image, value in zip(out, total, strict=True):
            if image.ndim == 2:
                image[rows] = _flat(ops, value / samples, tile)
                continue
            for channel in range(3):
                image[rows, :, channel] = _flat(ops, value[channel] / samples, tile)

    def _surfaces(self, view: View, tile: Tile, at: Any, out: Truth) -> None:
        ops = self._world.ops
        rows = slice(tile.y0, tile.y1)
        number = self._numbers(at, tile)
        seen = number > NOTHING
        turn = NORMAL_FLIP @ pose(view.camera)[0]
        world = np.stack([_flat(ops, at.normal[i], tile) for i in range(3)], axis=-1)
        normals = world.astype(np.float64) @ turn.T
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-30
        out.normals[rows] = np.where(seen[..., None], normals, 0)
        colour = np.stack([_flat(ops, at.colour[i], tile) for i in range(3)], axis=-1)
        out.albedo[rows] = np.where(seen[..., None], colour, 0)
        out.part[rows] = number >= 0
        out.label[rows] = np.where(number >= 0, self.scene.part.label[np.maximum(number, 0)], 0)
        out.depth[rows], out.height[rows] = self._places(view, tile, at)

    def _numbers(self, at: Any, tile: Tile) -> NDArray[np.int32]:
        """Faces of the part, -1 for the plate, -2 for nothing, of a tile."""
        ops = self._world.ops
        face = _flat(ops, at.face, tile).astype(np.int32)
        valid = _flat(ops, at.valid, tile)
        plate = face >= len(self.scene.part.faces)
        return np.where(valid, np.where(plate, np.int32(PLATE), face), np.int32(NOTHING))

    def _places(self, view: View, tile: Tile, at: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Depth and height (mm, NaN off surfaces) of a tile: ray and plane of the face, float64."""
        ops = self._world.ops
        face = _flat(ops, at.face, tile).astype(np.int64)
        valid = _flat(ops, at.valid, tile)
        rotation, _ = pose(view.camera)
        rays, _ = unproject(view.camera, pixel_grid(view.camera, tile.y0, tile.y1))
        rays = rays / rays[..., 2:]
        a, b, c = (self._vertices[self._faces[face, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        centre = view.camera.centre()
        world = rays @ rotation
        with np.errstate(all="ignore"):
            depth = ((a - centre) * normal).sum(-1) / (world * normal).sum(-1)
            height = centre[2] + depth * world[..., 2]
        return np.where(valid, depth, np.nan), np.where(valid, height, np.nan)


def _flat(ops: Any, value: Value, tile: Tile) -> NDArray[Any]:
    return np.asarray(ops.array(value)).reshape(tile.shape)
