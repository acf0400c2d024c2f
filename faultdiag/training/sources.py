"""Networks trained on the source, kept for trainings that adapt the same one.

A comparison of transfer methods trains one network on the source and adapts it by each method.
The state at the end of the source's phase is kept in a folder, by a digest of all settings that
it depends on. A training that starts from it has the same bits as one that trains it again.
"""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from faultdiag.checkpoint import Checkpoint, load, save
from faultdiag.config.schema import Config
from faultdiag.system.files import write_errors
from faultdiag.training.adaptation import first_adapted_epoch
from faultdiag.training.run_folder import LAST

BEST = "best.pt"
# Of the section ``transfer``, what decides how the recordings are split.
_SPLIT = {"target", "adapt", "hold_out"}


class TrainedSources:
    """A folder of networks that were trained on the source.

    Parameters
    ----------
    folder
        It need not exist. Several processes may use it at once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def restore(self, config: Config, run: Path) -> Checkpoint | None:
        """Write the checkpoints of the source's phase to a run folder and return the last.

        Returns
        -------
        Checkpoint | None
            None where no training has kept it.
        """
        place = self._place(config)
        if not place.is_dir():
            return None
        own = config.model_dump(mode="json")
        best, last = (replace(load(place / name), config=own) for name in (BEST, LAST))
        save(run / BEST, best)
        save(run / LAST, last)
        return last

    def keep(self, config: Config, run: Path) -> None:
        """Keep the state of a run folder whose training on the source has just ended."""
        place = self._place(config)
        with write_errors(place, self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(mkdtemp(dir=self._folder))
            for name in (BEST, LAST):
                shutil.copy(run / name, temporary / name)
            try:
                temporary.replace(place)
            except OSError:
                shutil.rmtree(temporary)
                if not place.is_dir():  # else another process was faster, with the same bits
                    raise

    def _place(self, config: Config) -> Path:
        settings = config.model_dump(mode="json")
        settings["train"] |= {"epochs": first_adapted_epoch(config)}
        if config.transfer is not None:
            settings["transfer"] = config.transfer.model_dump(mode="json", include=_SPLIT)
        text = json.dumps(settings, sort_keys=True, default=str)
        return self._folder / hashlib.sha256(text.encode()).hexdigest()[:16]
