"""The table of the networks, and what the class of each one offers."""

from typing import TYPE_CHECKING, Protocol, cast

from faultdiag.baselines import BASELINES
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from faultdiag.models.spec import Slot


NETWORKS: "Registry[nn.Module]" = Registry(
    "network",
    {
        "wdcnn": "faultdiag.models.wdcnn:WDCNN",
        "cnn1d": "faultdiag.models.cnn1d:CNN1d",
        "ticnn": "faultdiag.models.ticnn:TICNN",
        "resnet1d": "faultdiag.models.resnet1d:ResNet1d",
        "densenet1d": "faultdiag.models.densenet1d:DenseNet1d",
        "transformer1d": "faultdiag.models.transformer1d:Transformer1d",
        "band_net": "faultdiag.models.band_net:BandNet",
        "tied_z": "faultdiag.models.tied_z:TiedZ",
        "tied_teeth": "faultdiag.models.tied_teeth:TiedTeeth",
    },
    group="faultdiag.models",
)


class Network(Protocol):
    """The interface of a network's class."""

    reference: str

    def __call__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: "Sequence[Slot]" = (),
        **options: object,
    ) -> "nn.Module":
        """Construct the network."""
        ...

    def positions(self, **options: object) -> int:
        """Return the number of places attention can take."""
        ...

    def minimum_length(self, **options: object) -> int:
        """Return the shortest window in samples."""
        ...


def network(name: str) -> Network:
    """Return the class registered as `name`.

    Raises
    ------
    FaultdiagError
        If no network has this name. The baselines are named too: a config can ask for either.
    """
    if name in BASELINES:
        raise FaultdiagError(
            f"'{name}' is a baseline, no network: name it in a config, model: {{name: {name}}}; "
            f"networks: {', '.join(sorted(NETWORKS))}"
        )
    if name not in NETWORKS:
        raise unknown(NETWORKS.kind, name, [*NETWORKS, *BASELINES])
    return cast("Network", NETWORKS.get(name))


def defaults(name: str) -> Json:
    """Return the default of every option of a network."""
    return {option.name: option.default for option in NETWORKS.options(name).values()}


def front_of(name: str) -> str:
    """Return the front end that a network is made for: ``raw`` for most."""
    return str(getattr(NETWORKS.get(name), "representation", "raw"))


def most_classes(name: str) -> int | None:
    """Return how many classes a network can have, None for any number."""
    most: int | None = getattr(NETWORKS.get(name), "most_classes", None)
    return most


def options_for(name: str, classes: "Sequence[str]", options: "Document") -> Json:
    """Return the options of a network with what follows from the names of the classes.

    Raises
    ------
    FaultdiagError
        If the network cannot have such classes.
    """
    complete = getattr(NETWORKS.get(name), "options_for", None)
    return dict(options) if complete is None else dict(complete(classes, options))
