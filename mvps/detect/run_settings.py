"""Everything a run is told, as ``run.json`` holds it, and the detector that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from mvps.datasets.record import NORMALS, RGB
from mvps.detect.encoder import DEFAULT_ENCODER, DEFAULT_LAYERS, EncoderFacts
from mvps.detect.preprocess import Preprocess
from mvps.detect.recipe import Recipe
from mvps.errors import InputError

if TYPE_CHECKING:
    from mvps.detect.detector import Detector

DETECTORS = ("cprn", "patchcore")
PRECISIONS = ("auto", "32", "bf16", "16")
FUSIONS = ("ucp", "concat", "rgb", "nv")
OPTIONS = {
    "cprn": ("prototypes", "loss", "map_from", "image_score", "entropy_weight", "context"),
    "patchcore": ("share", "most", "reservoir", "neighbours"),
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "paper": {
        "reconstruct": "rgb",
        "options": {"loss": "paper", "map_from": "last", "image_score": "paper"},
    },
}


@dataclass(frozen=True)
class RunSettings:
    """What a run is told.

    Attributes
    ----------
    detector : of :data:`DETECTORS`
    encoder : imported weights or a timm ViT
    layers : 0-based blocks whose tokens are used
    resize, crop : of an image in px, see :class:`mvps.detect.preprocess.Preprocess`
    tile, overlap : in px of the file; 0 resizes the whole image
    fusion : "ucp", "concat", "rgb" or "nv"; other than the last two, PatchCore reads both
    reconstruct : "both" or "rgb"
    options : further ones of the detector, those of :data:`OPTIONS`
    recipe : of a network's training
    steps, epochs : the smaller of both counts is trained
    seed : of initial weights, order of images, shots and what is held out
    shots : samples a category to learn from, held-out ones among them; 0 takes all
    hold_out : share of the sound training samples that thresholds and early stop are read from
    per_category : a model for each category, not one for all
    by_place : scores stand against those of sound parts, see :mod:`mvps.detect.place_scores`
    categories : empty for all
    precision : "32", "bf16", "16", or "auto" for what the device multiplies natively
    compile : through ``torch.compile``
    """

    detector: str = "cprn"
    encoder: str = DEFAULT_ENCODER
    layers: tuple[int, ...] = DEFAULT_LAYERS
    resize: int = 448
    crop: int = 392
    tile: int = 0
    overlap: int = 0
    fusion: str = "ucp"
    reconstruct: str = "both"
    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)
    steps: int = 5000
    epochs: int = 200
    seed: int = 0
    shots: int = 0
    hold_out: float = 0.1
    per_category: bool = False
    by_place: bool = False
    categories: tuple[str, ...] = ()
    precision: str = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        for option, value, allowed in (
            ("--detector", self.detector, DETECTORS),
            ("--fusion", self.fusion, FUSIONS),
            ("--precision", self.precision, PRECISIONS),
            ("--reconstruct", self.reconstruct, ("both", "rgb")),
        ):
            if value not in allowed:
                raise InputError(option, f"{value!r} is unknown", f"use {', '.join(allowed)}")
        for option, number, least in (
            ("--steps", self.steps, 1),
            ("--epochs", self.epochs, 1),
            ("--shots", self.shots, 0),
            ("--seed", self.seed, 0),
        ):
            if number < least:
                raise InputError(option, f"{number} is less than {least}")
        known = OPTIONS[self.detector]
        for name in self.options.keys() - set(known):
            raise InputError(name, f"is no option of {self.detector}", f"use {', '.join(known)}")

    @property
    def preprocess(self) -> Preprocess:
        """From files to the images of the encoder."""
        return Preprocess(self.resize, self.crop, self.tile, self.overlap)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that a record must have."""
        return {"rgb": (RGB,), "nv": (NORMALS,)}.get(self.fusion, (RGB, NORMALS))

    def steps_for(self, images: int) -> int:
        """Optimiser steps of a training on so many images; 0 where nothing is descended."""
        if self.detector != "cprn":
            return 0
        return min(self.steps, -(-self.epochs * images // self.recipe.batch))

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        stated = asdict(self)
        return stated | {"layers": list(self.layers), "categories": list(self.categories)}

    @classmethod
    def from_json(cls, stated: Mapping[str, Any]) -> RunSettings:
        """Settings that :meth:`to_json` wrote.

        Raises
        ------
        InputError
            A setting is unknown or has a value that is none.
        """
        names = {one.name for one in fields(cls)}
        for name in stated.keys() - names:
            raise InputError(str(name), "is no setting of a run")
        try:
            return cls(
                **dict(stated)
                | {
                    "layers": tuple(stated["layers"]),
                    "categories": tuple(stated["categories"]),
                    "options": dict(stated["options"]),
                    "recipe": Recipe(**stated["recipe"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("settings", f"are damaged ({error})") from None


def preset(name: str) -> Mapping[str, Any]:
    """Settings that a preset changes.

    Raises
    ------
    InputError
        There is none of this name.
    """
    if name not in PRESETS:
        raise InputError("--preset", f"{name!r} is unknown", f"use {', '.join(PRESETS)}")
    return PRESETS[name]


def build_detector(settings: RunSettings, facts: EncoderFacts) -> Detector:
    """The detector, not fitted yet, for the tokens of an encoder.

    Raises
    ------
    InputError
        An option has a value that is none.
    """
    options = dict(settings.options)
    if settings.detector == "patchcore":
        from mvps.detect.patchcore import PatchCore, PatchCoreConfig

        return PatchCore(PatchCoreConfig(settings.modalities, **options))
    from mvps.detect.cprn import CprnConfig
    from mvps.detect.cprn_detector import CprnDetector

    image_score = options.pop("image_score", "map")
    network = CprnConfig(
        dim=facts.dim,
        heads=facts.heads,
        layers=len(facts.layers),
        fusion=settings.fusion,
        reconstruct=settings.reconstruct,
        **options,
    )
    return CprnDetector(network, settings.recipe, image_score, settings.precision, settings.compile)
