"""The figures of a training where people look for them: TensorBoard, and MLflow where asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mvps.errors import MissingExtraError

Log = Callable[[Mapping[str, float]], None]


class RunLogs:
    """Writers of one model's figures.

    Parameters
    ----------
    folder : of the event files
    name : of the model
    tensorboard : write event files; None writes them where TensorBoard is installed
    mlflow : log to MLflow's tracking store too

    Raises
    ------
    MissingExtraError
        One of them is wanted and not installed.
    """

    def __init__(
        self, folder: Path, name: str, tensorboard: bool | None = None, mlflow: bool = False
    ) -> None:
        self._folder = folder
        self._make = None if tensorboard is False else _summary_writer(bool(tensorboard))
        self._writer: Any = None
        self._mlflow = _mlflow() if mlflow else None
        if self._mlflow is not None:
            self._mlflow.start_run(run_name=name, nested=True)

    def __call__(self, figures: Mapping[str, float]) -> None:
        """Log the figures of a look, "step" among them."""
        step = int(figures["step"])
        values = {name: float(value) for name, value in figures.items() if name != "step"}
        if self._make is not None:
            if self._writer is None:  # steps that a killed training logged past its checkpoint go
                self._writer = self._make(str(self._folder), purge_step=step)
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
        if self._mlflow is not None:
            self._mlflow.log_metrics(values, step=step)

    def close(self) -> None:
        """End the files."""
        if self._writer is not None:
            self._writer.close()
        if self._mlflow is not None:
            self._mlflow.end_run()


def check_logs(tensorboard: bool | None, mlflow: bool) -> None:
    """Refuse what is wanted and not installed.

    Raises
    ------
    MissingExtraError
    """
    if tensorboard:
        _summary_writer(True)
    if mlflow:
        _mlflow()


def _summary_writer(wanted: bool) -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        if wanted:
            raise MissingExtraError("tensorboard", "detect") from None
        return None
    return SummaryWriter


def _mlflow() -> Any:
    import importlib

    try:
        return importlib.import_module("mlflow")
    except ImportError:
        raise MissingExtraError("mlflow", "mlflow") from None
