"""The folder of a run: ``run.json`` says what was trained on what, ``models/`` holds tensors."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvps.detect.encoder import Encoder, EncoderFacts, load_encoder
from mvps.detect.preprocess import Preprocess
from mvps.detect.run_settings import RunSettings, build_detector
from mvps.detect.tensor_file import read_tensors, write_tensors
from mvps.detect.torch_door import pick_device
from mvps.errors import InputError
from mvps.files import read_text, sha256_file, write_json
from mvps.metrics import Threshold

if TYPE_CHECKING:
    from mvps.detect.detector import Detector
    from mvps.detect.place_scores import PlaceScores

VERSION = 1
RUN, MODELS, MODEL, LOGS = "run.json", "models", "model.safetensors", "logs"
PLACES = "places.safetensors"
ALL = "all"  # the one model of all categories, and the thresholds over all of them
UNITS = ("view", "sample")
_REMEDY = "train again: mvps detect train DATA RUN --overwrite"
_AGAIN = "run the same mvps detect train command again"


@dataclass(frozen=True)
class ModelFacts:
    """What is known of one fitted model.

    Attributes
    ----------
    figures : of the fit, as the detector states them
    thresholds : by category and :data:`UNITS`; those under :data:`ALL` are over all categories of
        the model; empty where nothing was held out
    digest : of the model's file
    """

    figures: Mapping[str, Any]
    thresholds: Mapping[str, Mapping[str, Threshold]]
    digest: str


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes
    ----------
    folder : that holds it
    settings : with the precision that was used
    encoder_facts : of the encoder
    data : root, layout, digest, and categories with the images learnt from and held out
    models : by name, :data:`ALL` or a category; while training, those that are finished
    """

    folder: Path
    settings: RunSettings
    encoder_facts: EncoderFacts
    data: Mapping[str, Any]
    models: Mapping[str, ModelFacts] = field(default_factory=dict)

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of all models, finished or not."""
        return tuple(self.data["categories"]) if self.settings.per_category else (ALL,)

    @property
    def finished(self) -> bool:
        """Whether every model is fitted."""
        return all(name in self.models for name in self.model_names)

    @property
    def preprocess(self) -> Preprocess:
        """From files to the images of the encoder."""
        return self.settings.preprocess

    @property
    def digest(self) -> str:
        """What tells this run from any other: settings, encoder, data and the models' bytes."""
        parts = {name: model.digest for name, model in sorted(self.models.items())}
        return digest_of([identity(self), parts])

    def model_name(self, category: str) -> str:
        """Name of the model that answers for a category.

        Raises
        ------
        InputError
            There is a model a category, and none for this one.
        """
        if not self.settings.per_category:
            return ALL
        if category not in self.models:
            known = ", ".join(self.models)
            raise InputError(self.folder, f"has no model of {category!r}", f"it has {known}")
        return category

    def detector(self, category: str, device: str = "auto") -> Detector:
        """The fitted detector of a category.

        Raises
        ------
        InputError
            No model of the category; its file is missing, damaged, of another kind or another run.
        """
        name = self.model_name(category)
        path = model_path(self.folder, name)
        tensors, text = read_tensors(path, _REMEDY)
        detector = build_detector(self.settings, self.encoder_facts)
        if text != model_text(self, detector):
            raise InputError(path, f"is no model of {self.folder / RUN}", _REMEDY)
        try:
            detector.load(tensors, pick_device(device))
        except (RuntimeError, KeyError) as error:
            raise InputError(path, f"its tensors do not fit ({error})", _REMEDY) from None
        return detector

    def encoder(self, device: str = "auto") -> Encoder:
        """The encoder of the run.

        Raises
        ------
        InputError
            It is not to be had, or its weights are not those that the run was trained with.
        """
        facts = self.encoder_facts
        encoder = load_encoder(facts.name, size=facts.size, layers=facts.layers, device=device)
        if encoder.facts.digest != facts.digest:
            raise InputError(
                facts.name,
                f"its weights are not those that {self.folder} was trained with",
                "import those: mvps weights import",
            )
        return encoder

    def places(self, category: str) -> PlaceScores | None:
        """What sound parts score by place, for a category; None where scores stand alone.

        Raises
        ------
        InputError
            No model of the category; its file is missing, damaged, of another kind or another run.
        """
        if not self.settings.by_place:
            return None
        from mvps.detect.place_scores import PlaceScores, fits

        name = self.model_name(category)
        path = _places_path(self, name)
        moments, text = read_tensors(path, _REMEDY)
        if text != _places_text(self, name) or not moments:
            raise InputError(path, f"is not of {self.folder / RUN}", _REMEDY)
        if not all(fits(one, self.encoder_facts.grid**2) for one in moments.values()):
            raise InputError(path, "its moments do not fit the run", _REMEDY)
        return PlaceScores(moments)

    def threshold(self, category: str, unit: str = "view") -> Threshold:
        """Score above which a view, or a sample, is NG; from held-out sound ones of the category.

        A category that the run has not met gets the one over all categories.

        Raises
        ------
        InputError
            Nothing was held out, or there is no model of the category.
        """
        thresholds = self.models[self.model_name(category)].thresholds
        found = thresholds.get(category) or thresholds.get(ALL)
        if not found:
            raise InputError(
                self.folder / RUN, "holds no threshold: nothing was held out", "--threshold VALUE"
            )
        return found[unit]


def read_run(folder: Path) -> Run:
    """A finished run.

    Raises
    ------
    InputError
        There is none, it is not finished, damaged, or was written by a newer version.
    """
    run = read_started(folder)
    if not run.finished:
        raise InputError(folder, "its training has not finished", _AGAIN)
    for name in run.model_names:
        if not model_path(folder, name).is_file():
            raise InputError(model_path(folder, name), "no such file", _REMEDY)
    return run


def read_started(folder: Path) -> Run:
    """A run, finished or not; see :func:`read_run`."""
    path = folder / RUN
    if not path.is_file():
        raise InputError(folder, f"holds no {RUN}", "give the folder that mvps detect train wrote")
    try:
        stated = json.loads(read_text(path))
        version = stated["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(path, f"is damaged ({error})", _REMEDY) from None
    if version != VERSION:
        raise InputError(path, f"is of version {version!r}, not {VERSION}", "update mvps")
    try:
        return Run(
            folder,
            RunSettings.from_json(stated["settings"]),
            _encoder_facts(stated["encoder"]),
            _checked_data(stated["data"]),
            {name: _model(entry) for name, entry in stated["models"].items()},
        )
    except (InputError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(path, f"is damaged ({error})", _REMEDY) from None


def write_run(run: Run) -> None:
    """Write ``run.json`` atomically."""
    models = {
        name: {
            "figures": dict(model.figures),
            "thresholds": {
                category: {unit: threshold_json(one) for unit, one in units.items()}
                for category, units in model.thresholds.items()
            },
            "digest": model.digest,
        }
        for name, model in run.models.items()
    }
    stated = {"version": VERSION, "finished": run.finished, **identity(run)}
    stated |= {"data": dict(run.data), "models": models}
    run.folder.mkdir(parents=True, exist_ok=True)
    write_json(run.folder / RUN, stated)


def identity(run: Run) -> dict[str, Any]:
    """What a resumed training must have in common with the one that was stopped.

    The data folder may have moved meanwhile.
    """
    return {
        "settings": run.settings.to_json(),
        "encoder": asdict(run.encoder_facts) | {"layers": list(run.encoder_facts.layers)},
        "data": {name: value for name, value in run.data.items() if name != "root"},
    }


def model_path(folder: Path, name: str) -> Path:
    """File of a model's tensors."""
    return folder / MODELS / name / MODEL


def write_model(run: Run, name: str, detector: Detector) -> str:
    """Write a model with the whole configuration in its header; returns its digest."""
    path = model_path(run.folder, name)
    write_tensors(path, detector.tensors(), model_text(run, detector))
    return _digest_of_file(path)


def write_places(run: Run, name: str, places: PlaceScores) -> None:
    """Write what sound parts score, with the digest of the model that they were scored by."""
    write_tensors(_places_path(run, name), places.moments, _places_text(run, name))


def _places_path(run: Run, name: str) -> Path:
    return model_path(run.folder, name).with_name(PLACES)


def _places_text(run: Run, name: str) -> str:
    digest = _digest_of_file(model_path(run.folder, name))
    return json.dumps({"version": VERSION, "model": digest}, sort_keys=True)


def model_text(run: Run, detector: Detector) -> str:
    """Configuration of a model as its file states it."""
    stated = {"version": VERSION, "detector": {detector.name: detector.config}}
    return json.dumps(stated | identity(run), sort_keys=True)


def digest_of(stated: Any) -> str:
    """``sha256:`` and the digest of what JSON holds."""
    text = json.dumps(stated, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _digest_of_file(path: Path) -> str:
    return f"sha256:{sha256_file(path)}"


def _encoder_facts(entry: Mapping[str, Any]) -> EncoderFacts:
    facts = EncoderFacts(**{**entry, "layers": tuple(entry["layers"])})
    for name in ("size", "patch", "dim", "heads"):
        if type(entry[name]) is not int:
            raise ValueError(f"encoder, {name}: {entry[name]!r}")
    return facts


def _checked_data(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data part; a category names a folder, and must not lead out of the run's."""
    for name in data["categories"]:
        if not isinstance(name, str) or name in {"", ".."} or Path(name).name != name:
            raise ValueError(f"category {name!r}")
    return data


def threshold_json(threshold: Threshold) -> dict[str, Any]:
    """A threshold as JSON holds it, which knows no infinity: "inf" and "nan" stand for them."""
    return {
        name: value if not isinstance(value, float) or math.isfinite(value) else repr(value)
        for name, value in asdict(threshold).items()
    }


def _model(entry: Mapping[str, Any]) -> ModelFacts:
    thresholds = {
        category: {unit: _threshold(units[unit]) for unit in UNITS}
        for category, units in entry["thresholds"].items()
    }
    return ModelFacts(entry["figures"], thresholds, str(entry["digest"]))


def _threshold(entry: Mapping[str, Any]) -> Threshold:
    numbers = {name: float(entry[name]) for name in ("value", "low", "high", "confidence")}
    return Threshold(**dict(entry) | numbers)
