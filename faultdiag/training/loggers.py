"""Numbers of a training in TensorBoard and in MLflow, beside its own history."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from faultdiag.config.schema import Config, TrainConfig
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, needs_extra
from faultdiag.training.run_folder import Rows, flat

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The most numbers and settings that MLflow takes at once, and the longest text of a setting.
_MOST_METRICS, _MOST_PARAMETERS, _LONGEST = 1000, 100, 6000


def require_loggers(train: TrainConfig) -> None:
    """Refuse ``train.tensorboard`` and ``train.mlflow`` if their packages are not installed.

    Raises
    ------
    FaultdiagError
        Naming the extra that installs it; or if MLflow can't open the store.
    """
    settings = {"tensorboard": train.tensorboard, "mlflow": train.mlflow}
    otherwise = ", or leave it out (history.csv and history.jsonl are always written)"
    for package in (name for name, value in settings.items() if value):
        with needs_extra(package, f"train.{package} is set", otherwise=otherwise):
            import_module(package)
    if train.mlflow:
        with mlflow_experiment(train.mlflow):
            pass


def write_event(folder: Path, row: Document) -> None:
    """Add the row of an epoch to the TensorBoard events of a run."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name.replace("_", "/", 1), value, row["epoch"])


@contextmanager
def mlflow_experiment(store: str) -> Iterator[tuple["MlflowClient", str]]:
    """Open the experiment ``faultdiag`` of an MLflow store, which is made where it is missing.

    Parameters
    ----------
    store
        A folder, or a tracking URI.

    Raises
    ------
    FaultdiagError
        If MLflow can't read or write it, also while it is open.
    """
    from mlflow import MlflowClient

    address = store
    if "://" not in store:
        # MLflow 3 refuses folders without this.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        address = Path(store).expanduser().resolve().as_uri()
    try:
        client = MlflowClient(tracking_uri=address)
        known = client.get_experiment_by_name("faultdiag")
        yield client, known.experiment_id if known else client.create_experiment("faultdiag")
    except Exception as error:  # MLflow raises plain ones, where a store is no folder
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FaultdiagError(
            f"train.mlflow is {store}, which MLflow can't use: {reason}; give a folder or a "
            "tracking URI"
        ) from error


def write_mlflow_run(folder: Path, config: Config, history: Rows, scores: Document) -> None:
    """Write a finished training as a run of MLflow: settings, epochs, scores of the test part.

    Raises
    ------
    FaultdiagError
        If MLflow can't write it.
    """
    from mlflow.entities import Metric, Param

    now = round(1000 * time.time())
    values = [(key, value, row["epoch"]) for row in history for key, value in row.items()]
    values += [(f"test_{key}", value, len(history)) for key, value in scores.items()]
    metrics = [Metric(k, float(x), now, n) for k, x, n in values if isinstance(x, (int, float))]
    settings = flat(config.model_dump(mode="json"))
    parameters = [Param(key, str(value)[:_LONGEST]) for key, value in settings.items()]
    name = f"{config.model.name}-{config.split.strategy}-seed{config.seed}"
    with mlflow_experiment(str(config.train.mlflow)) as (client, experiment):
        tags = {"faultdiag.run": str(folder.resolve())}
        run = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        for first in range(0, len(metrics), _MOST_METRICS):
            client.log_batch(run, metrics=metrics[first : first + _MOST_METRICS])
        for first in range(0, len(parameters), _MOST_PARAMETERS):
            client.log_batch(run, params=parameters[first : first + _MOST_PARAMETERS])
        client.set_terminated(run)
