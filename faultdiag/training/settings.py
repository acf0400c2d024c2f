"""From a config to the settings of the training loop."""

from faultdiag.config import Config
from faultdiag.config.training import build_schedule
from faultdiag.training.augment import Ranges
from faultdiag.training.loop import Settings


def trainer_settings(config: Config) -> Settings:
    """Give what the section ``train`` of a config says to the loop."""
    section = config.train
    same = ("epochs", "batch_size", "optimizer", "learning_rate", "l2", "precision", "momentum")
    options = ("warmup_epochs", "early_stopping", "clip_gradient", "label_smoothing", "balance")
    both = (*same, *options, "graphs")
    return Settings(
        **{name: getattr(section, name) for name in both},
        seed=config.seed,
        schedule=build_schedule(section.schedule),
        augment=Ranges(**section.augment.model_dump()),
    )
