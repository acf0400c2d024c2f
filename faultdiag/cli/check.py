"""The commands that look at a config and its data before training: check and prepare."""

from faultdiag.cli.exits import show
from faultdiag.cli.options import (
    ConfigOption,
    ConfigPath,
    LogJson,
    OverrideRate,
    Quiet,
    Settings,
    config_path,
    with_override,
)


def check(
    config: ConfigPath = None,
    config_option: ConfigOption = None,
    settings: Settings = None,
    override_rate: OverrideRate = False,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Check files, labels, rates, windows and model before training.

    Example: faultdiag check configs/demo.yaml
    """
    from faultdiag.api.check import check_config
    from faultdiag.config.schema import load_config

    show(
        check_config(
            load_config(config_path(config, config_option), with_override(settings, override_rate))
        )
    )


def prepare(
    config: ConfigPath = None,
    config_option: ConfigOption = None,
    settings: Settings = None,
    override_rate: OverrideRate = False,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Run the preprocessing stage alone.

    Example: faultdiag prepare configs/demo.yaml
    """
    from faultdiag.api.check import prepare_config
    from faultdiag.config.schema import load_config

    show(
        prepare_config(
            load_config(config_path(config, config_option), with_override(settings, override_rate))
        )
    )
