"""What is done for a sample of every pixel of a tile: direct light, a bounce, a studio, truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mvps.synth.renderer_light import colour_of, light_on
from mvps.synth.renderer_lobes import cosine_direction, lobe_direction, mirrored, reflect
from mvps.synth.renderer_ops import Ops, Value, normalise
from mvps.synth.renderer_rays import Eye, Tile, look, place
from mvps.synth.renderer_studio import BLURRED_DEG, studio_light
from mvps.synth.renderer_surface import Surface, Tables, surface
from mvps.synth.renderer_trace import Tracer
from mvps.synth.truth import HIGHLIGHT_SHARE

BOUNCE_ALPHA = 0.5  # least roughness squared of the surface that light comes from
BOUNCE_LIMIT = 1.5  # of the reflectance of a bounce, so that no sample outshines its pixel
AMBIENT = 0.6  # share of the open studio's light that reaches what another surface faces


@dataclass(frozen=True)
class World:
    """What rays meet: the tracer and the tables of its faces."""

    tracer: Tracer
    tables: Tables

    @property
    def ops(self) -> Ops:
        return self.tracer.ops

    def meet(
        self, origin: Value, direction: Value, active: Value, *, grain: bool = True
    ) -> Surface:
        """Surfaces that rays hit first."""
        hit = self.tracer.first(origin, direction, active)
        return surface(self.ops, self.tables, hit, -direction, grain=grain)


@dataclass(frozen=True)
class Sample:
    """A sample of the pixels of a tile: seed, its number, how many there are."""

    seed: int
    number: Value
    of: Value


def primary(world: World, eye: Eye, tile: Tile, sample: Sample | None) -> tuple[Surface, Value]:
    """What pixels see, and the directions to the viewer; at pixel centres without a sample."""
    ops = world.ops
    fx, fy = (ops.number(0.5), ops.number(0.5))
    if sample is not None:
        fx, fy = place(ops, tile, sample.seed, sample.number, sample.of)
    ray, seen = look(ops, eye, tile, fx, fy)
    return world.meet(eye.centre, ray, seen), -ray


def direct(
    world: World, at: Surface, viewer: Value, lamps: Value, numbers: Sequence[Value]
) -> list[Value]:
    """Radiance (3, n) of surfaces towards the viewer, a lamp each."""
    ops = world.ops
    images = []
    for k in numbers:
        lit = light_on(ops, lamps, k, at)
        hidden = world.tracer.blocked(at.start, lit.towards, lit.distance, lit.facing)
        matt, glossy = reflect(ops, at, viewer, lit.towards)
        light = (matt + glossy) * (colour_of(ops, lamps, k) * lit.effect)
        images.append(ops.select(lit.facing & ~hidden, light, 0.0))
    return images


def bounced(
    world: World,
    at: Surface,
    viewer: Value,
    lamps: Value,
    numbers: Sequence[Value],
    *,
    random: tuple[Value, Value],
) -> list[Value]:
    """Radiance (3, n) that arrives over one other surface, one random direction each."""
    ops = world.ops
    way = cosine_direction(ops, at.normal, *random)
    lit = at.valid & (ops.dot(at.facet, way) > 0)
    other = world.meet(at.start, way, lit, grain=False)
    # A sharp lobe that a few rays meet by chance would be a firefly: none is as sharp as that.
    other = replace(other, alpha=ops.maximum(other.alpha, BOUNCE_ALPHA))
    matt, glossy = reflect(ops, at, viewer, way)
    # The directions are as dense as the cosine, which the reflectance holds already.
    share = (matt + glossy) * (1.0 / ops.maximum(ops.dot(at.normal, way), 1e-3))
    share = ops.minimum(share, BOUNCE_LIMIT)
    return [
        ops.select(other.valid, light * share, 0.0)
        for light in direct(world, other, -way, lamps, numbers)
    ]


def studio(
    world: World,
    at: Surface,
    viewer: Value,
    matt: tuple[Value, Value],
    glossy: Sequence[tuple[Value, Value]],
) -> Value:
    """Radiance (3, n) under the dome and its soft boxes, over one matt way and some glossy ones.

    ``matt`` and ``glossy`` are the random numbers of the ways. Where many directions count, boxes
    are blurred instead of met by a few rays, so that no pixel outshines its neighbours.
    """
    ops = world.ops
    way = cosine_direction(ops, at.normal, *matt)
    base = at.colour * (1.0 - at.metallic) * (1.0 - at.gloss)
    image = base * _arriving(world, at, way, studio_light(ops, way, BLURRED_DEG))
    for random in glossy:
        half, broad = lobe_direction(ops, at, *random)
        way = normalise(ops, half * (2.0 * ops.dot(viewer, half)) - viewer)
        light = ops.select(broad, studio_light(ops, way, BLURRED_DEG), studio_light(ops, way))
        share = mirrored(ops, at, way, half) * (1.0 / len(glossy))
        image = image + share * _arriving(world, at, way, light)
    return ops.select(at.valid, image, 0.0)


def _arriving(world: World, at: Surface, way: Value, sky: Value) -> Value:
    """Radiance (3, n) from directions: ``sky``, or that of a surface in the way."""
    ops = world.ops
    out = at.valid & (ops.dot(at.facet, way) > 0)
    other = world.meet(at.start, way, out, grain=False)
    up = other.normal[2] * 0.5 + 0.5
    indirect = other.colour * (AMBIENT * up)
    return ops.select(out, ops.select(other.valid, indirect, sky), 0.0)


def truth(
    world: World, eye: Eye, tile: Tile, lamps: Value, numbers: Sequence[Value]
) -> tuple[Surface, list[Value], list[Value]]:
    """Surfaces at pixel centres, and shadow and highlight of each lamp."""
    ops = world.ops
    at, viewer = primary(world, eye, tile, None)
    shadows, highlights = [], []
    for k in numbers:
        lit = light_on(ops, lamps, k, at)
        hidden = world.tracer.blocked(at.start, lit.towards, lit.distance, lit.facing)
        lighted = lit.facing & ~hidden
        _, glossy = reflect(ops, at, viewer, lit.towards)
        matt = _mean(at.colour) * ops.maximum(ops.dot(at.normal, lit.towards), 0.0)
        shadows.append(at.valid & ~lighted)
        highlights.append(lighted & (_mean(glossy) > HIGHLIGHT_SHARE * matt))
    return at, shadows, highlights


def _mean(colour: Value) -> Value:
    return (colour[0] + colour[1] + colour[2]) * (1 / 3)
