"""The specification of a network or baseline: parsed once, checked, and built from.

A config or a checkpoint is parsed into one frozen `ModelSpec`, which is passed on. Importing this
module does not import torch; building does.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard

from faultdiag import attention
from faultdiag.baselines import BASELINES
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.models.zoo import NETWORKS, defaults, front_of, network
from faultdiag.system.crashes import memory_errors

if TYPE_CHECKING:
    from torch import nn


PLACE = "model.attention"
FRONT_PLACE = "model.representation"
Attention = Document | Sequence[Document] | None
Representation = str | Document | None


@dataclass(frozen=True)
class Slot:
    """One attention block, the positions that it follows, and its place in the config.

    Each position gets its own block with its own parameters.
    """

    name: str
    after: tuple[int, ...]
    residual: bool = False
    options: Document = field(default_factory=dict)
    place: str = field(default=PLACE, compare=False)

    def document(self) -> Json:
        """Return the slot as a config writes it."""
        residual = {"residual": True} if self.residual else {}
        return {"name": self.name, "after": list(self.after), **residual, **_plain(self.options)}


@dataclass(frozen=True)
class FrontSpec:
    """The front end of a network: the representation of the windows that it sees."""

    name: str = "raw"
    options: Document = field(default_factory=dict)

    @property
    def is_raw(self) -> bool:
        """Whether the network sees the windows themselves."""
        return self.name == "raw" and not self.options

    def build(self, channels: int, length: int, sampling_rate: float | None) -> "nn.Module | None":
        """Build the representation; None for the raw windows.

        Parameters
        ----------
        channels, length, sampling_rate
            Shape of the windows, and their rate in Hz.

        Raises
        ------
        FaultdiagError
            If it cannot be built; the message begins with the place in the config.
        """
        from faultdiag import representations

        if self.is_raw:
            return None
        try:
            kind = representations.REPRESENTATIONS.get(self.name)
            if sampling_rate is None and getattr(kind, "needs_rate", True):
                raise FaultdiagError(f"'{self.name}' needs the sampling rate of the windows")
            rate = sampling_rate or 1.0  # frequencies in cycles per sample
            return representations.build(self.name, channels, length, rate, **self.options)
        except FaultdiagError as error:
            raise FaultdiagError(f"{FRONT_PLACE}: {error}") from error

    def document(self) -> str | Json:
        """Return the front end as a config writes it."""
        return {"name": self.name, **_plain(self.options)} if self.options else self.name


@dataclass(frozen=True)
class BaselineNames:
    """Names of the channels and classes that a baseline is built for."""

    channels: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class ModelSpec:
    """The model to build: a network with its attention slots and front end, or a baseline.

    Parameters
    ----------
    name
        A name of `NETWORKS` or of `faultdiag.baselines.BASELINES`.
    channels, classes, length
        Channels and samples of a window; number of logits.
    sampling_rate
        Hz; None where no front end needs it.
    slots
        The attention slots.
    front
        The front end.
    options
        The network's or baseline's own options.
    names
        A baseline's channels and classes by name; None for a network.
    """

    name: str
    channels: int
    classes: int
    length: int
    sampling_rate: float | None = None
    slots: tuple[Slot, ...] = ()
    front: FrontSpec = field(default_factory=FrontSpec)
    options: Document = field(default_factory=dict)
    names: BaselineNames | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline, not a network."""
        return self.name in BASELINES

    def build(self) -> "nn.Module":
        """Build the network behind its front end, or the baseline, untrained.

        Raises
        ------
        FaultdiagError
            If the parts do not go together.
        """
        if self.is_baseline:
            from faultdiag.models.baseline import baseline_of

            return baseline_of(self)
        from faultdiag.models.layers import FrontEndNetwork, seen_through

        front = self.front.build(self.channels, self.length, self.sampling_rate)
        if front is None:
            return self.build_network(self.channels, self.length)
        return FrontEndNetwork(front, self.build_network(*seen_through(front)))

    def build_network(self, channels: int, length: int) -> "nn.Module":
        """Build the network itself for what its front end returns, ``(B, channels, length)``."""
        from faultdiag.models.layers import lay_out

        built = network(self.name)(channels, self.classes, length, self.slots, **self.options)
        lay_out(built)
        return built

    def document(self) -> Json:
        """Return the spec as plain types, as a checkpoint stores it."""
        plain = {
            "name": self.name,
            "channels": self.channels,
            "classes": self.classes,
            "length": self.length,
            "attention": [slot.document() for slot in self.slots] or None,
            "representation": self.front.document(),
            "sampling_rate": self.sampling_rate,
            "options": _plain(self.options),
        }
        if self.names is not None:
            named = {"channels": self.names.channels, "classes": self.names.classes}
            plain["names"] = {key: list(names) for key, names in named.items()}
        return plain


def _plain(options: Document) -> Json:
    """Return options with lists in place of tuples, as YAML and checkpoints write them."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in options.items()}


def spec_of(document: Document) -> ModelSpec:
    """Parse the ``model_spec`` of a checkpoint.

    Raises
    ------
    FaultdiagError
        For a name, option, position or length that does not exist or does not work; all such
        problems are in the one message, a line each.
    """
    if document["name"] in BASELINES:
        from faultdiag.models.baseline import baseline_spec_of

        return baseline_spec_of(document)
    return parse_spec(
        document["name"],
        document["channels"],
        document["classes"],
        length=document["length"],
        attention=document["attention"],
        representation=document["representation"],
        sampling_rate=document["sampling_rate"],
        options=document["options"],
    )


def parse_spec(
    name: str,
    channels: int,
    classes: int,
    *,
    length: int,
    attention: object = None,
    representation: object = None,
    sampling_rate: float | None = None,
    options: Document | None = None,
    try_out: bool = False,
) -> ModelSpec:
    """Parse and check what a config or a caller asks for, without building the network.

    Parameters
    ----------
    name
        A name of `NETWORKS`.
    channels, classes, length
        Shape of the windows, and number of logits.
    attention
        None, one slot or a list of slots, as a config writes them.
    representation
        A name, a mapping ``{name, **options}``, or None for the front end that the network is
        made for.
    sampling_rate
        Hz.
    options
        The network's own options.
    try_out
        Also pass two windows through the network, so that a block that cannot work at the length
        it would meet is found. The global random state is kept.

    Raises
    ------
    FaultdiagError
        One error that names every problem, a line each, beginning with its place in the config.
    """
    examined = _examine(
        ModelSpec(name, channels, classes, length, sampling_rate),
        slots=attention,
        options=options or {},
        representation=representation,
    )
    problems = examined.problems + (_try_out(examined) if try_out else [])
    if problems:
        raise FaultdiagError("\n".join(problems))
    return examined.spec


@dataclass(frozen=True)
class _Examination:
    """The sound parts of a spec, what its network sees, and the problems of the other parts."""

    spec: ModelSpec
    seen: tuple[int, int]
    problems: list[str]


def _examine(
    bare: ModelSpec, *, slots: object, options: Document, representation: object
) -> _Examination:
    name = bare.name
    front, seen, front_problems = _front(representation, bare)
    spec = replace(bare, front=front)
    try:
        entry = network(name)
    except FaultdiagError as error:
        # The positions of an unknown network are unknown, but blocks and options can be checked.
        _, problems = parse_slots(slots, sys.maxsize, name)
        return _Examination(spec, seen, [f"model.name: {error}", *problems, *front_problems])
    usable, problems = _check_options(name, options)
    known = defaults(name) | usable
    source = "window.length" if front.is_raw else f"the length that {FRONT_PLACE} gives"
    shape, shortest = (seen[0], bare.classes, seen[1]), entry.minimum_length(**known)
    problems += [*front_problems, *_check_shape(name, shape, shortest, source)]
    parsed, slot_problems = parse_slots(slots, entry.positions(**known), name)
    spec = replace(spec, slots=tuple(parsed), options=usable)
    return _Examination(spec, seen, problems + slot_problems)


def _front(representation: object, bare: ModelSpec) -> tuple[FrontSpec, tuple[int, int], list[str]]:
    """Parse a front end: its spec, the shape of what it returns, and its problems."""
    shape = (bare.channels, bare.length)
    if representation is None and bare.name in NETWORKS:
        representation = front_of(bare.name)
    try:
        front = parse_front(representation)
        built = front.build(*shape, bare.sampling_rate)
    except FaultdiagError as error:
        return FrontSpec(), shape, [str(error)]
    if built is None:
        return front, shape, []
    from faultdiag.models.layers import seen_through

    return front, seen_through(built), []


def parse_front(representation: object) -> FrontSpec:
    """Parse a representation as a config writes it: a name, or ``{name, **options}``.

    Raises
    ------
    FaultdiagError
        If it is neither.
    """
    if representation is None:
        return FrontSpec()
    if isinstance(representation, str):
        return FrontSpec(representation)
    if isinstance(representation, Mapping) and isinstance(representation.get("name"), str):
        options = {str(key): value for key, value in representation.items() if key != "name"}
        return FrontSpec(representation["name"], options)
    raise FaultdiagError(
        f"{FRONT_PLACE} is {representation!r}; give a name, or name and options, such as "
        "{name: envelope_spectrum, bands: 4}"
    )


def _try_out(examined: _Examination) -> list[str]:
    """Pass two windows through the sound parts, and return the problems that this shows."""
    spec = examined.spec
    if spec.name not in NETWORKS:
        return []
    shortest = network(spec.name).minimum_length(**defaults(spec.name) | dict(spec.options))
    sound = replace(spec, classes=max(spec.classes, 2))
    seen = max(examined.seen[0], 1), max(examined.seen[1], shortest)
    problem = _failure(sound, seen)
    if not problem:
        return []
    alone = [
        _failure(replace(sound, slots=(replace(slot, after=(position,)),)), seen)
        for slot in sound.slots
        for position in slot.after
    ]
    return [p for p in alone if p] or [problem]


def _failure(spec: ModelSpec, seen: tuple[int, int]) -> str:
    """Text of the error that building a network, or passing two windows through it, raises."""
    import torch

    action = f"pass windows of {seen[1]} samples through the network '{spec.name}'"
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        try:
            with memory_errors(action, "use a shorter window.length or a smaller network"):
                spec.build_network(*seen).eval()(torch.randn(2, *seen))
        except FaultdiagError as error:
            return str(error)
    return ""


def _check_options(name: str, options: Document) -> tuple[Json, list[str]]:
    usable: Json = {}
    problems = []
    for key, value in options.items():
        try:
            usable |= NETWORKS.check_options(name, {key: value})
        except FaultdiagError as error:
            problems.append(f"model.{key}: {error}")
    return usable, problems


def _check_shape(name: str, shape: tuple[int, int, int], shortest: int, source: str) -> list[str]:
    channels, classes, length = shape
    problems = []
    if channels < 1:
        problems.append(f"channels is {channels}; {name} needs 1 or more")
    if classes < 2:
        problems.append(f"classes is {classes}; {name} needs 2 or more to tell apart")
    if length < shortest:
        problems.append(f"{source} is {length} samples; {name} needs {shortest} or more")
    return problems


def uses_previous(name: str) -> bool:
    """Whether a block takes the channel means of the earlier stages."""
    return bool(getattr(attention.BLOCKS.get(name), "uses_previous", False))


def parse_slots(
    slots: object, positions: int, network: str, place: str = PLACE
) -> tuple[list[Slot], list[str]]:
    """Parse attention slots as a config writes them: the sound ones, and all problems of others.

    Parameters
    ----------
    slots
        None, one mapping ``{name, after, residual, **block options}``, or a list of mappings.
    positions
        How many positions the network has.
    network
        Its name, for the messages.
    place
        The place in the config; every problem starts with it.
    """
    if slots is None:
        return [], []
    if isinstance(slots, Mapping):
        return _parse_entries([(place, slots)], positions, network)
    if isinstance(slots, Sequence) and not isinstance(slots, str):
        entries = [(f"{place}.{i}", entry) for i, entry in enumerate(slots)]
        return _parse_entries(entries, positions, network)
    return [], [f"{place} is {slots!r}; give name and after, or a list of such slots"]


def _parse_entries(
    entries: Sequence[tuple[str, object]], positions: int, network: str
) -> tuple[list[Slot], list[str]]:
    slots: list[Slot] = []
    problems: list[str] = []
    taken: dict[int, str] = {}
    for place, entry in entries:
        own, slot = _parse_slot(place, entry, positions, network)
        for position in slot.after if slot else ():
            if position in taken:
                own.append(f"{place}.after is {position}, where {taken[position]} already stands")
            taken.setdefault(position, place)
        problems += own
        if slot and not own:
            slots.append(slot)
    return slots, problems


def _parse_slot(
    place: str, entry: object, positions: int, network: str
) -> tuple[list[str], Slot | None]:
    if not isinstance(entry, Mapping):
        return [f"{place} is {entry!r}; give name and after"], None
    name, residual = entry.get("name"), entry.get("residual", False)
    options = {str(k): v for k, v in entry.items() if k not in {"name", "after", "residual"}}
    after, problems = _parse_after(place, entry.get("after"), positions, network)
    problems = [*_check_name(place, name), *problems, *_check_residual(place, name, residual)]
    if isinstance(name, str) and name in attention.BLOCKS:
        problems += _check_block_options(place, name, options)
    return problems, Slot(str(name), after, residual is True, options, place)


def _check_name(place: str, name: object) -> list[str]:
    if name is None:
        return [f"{place}.name is missing; known: {', '.join(sorted(attention.BLOCKS))}"]
    try:
        attention.BLOCKS.get(name if isinstance(name, str) else repr(name))
    except FaultdiagError as error:
        return [f"{place}.name: {error}"]
    return []


def _check_residual(place: str, name: object, residual: object) -> list[str]:
    if not isinstance(residual, bool):
        return [f"{place}.residual is {residual!r}; give true or false"]
    if residual and name == "none":
        return [f"{place}.residual is true for 'none', which would only double x; leave it out"]
    return []


def _parse_after(
    place: str, after: object, positions: int, network: str
) -> tuple[tuple[int, ...], list[str]]:
    legal = f"{network} has blocks 1 to {positions}"
    if after is None:
        return (), [f"{place}.after is missing; {legal}"]
    entries = list(after) if isinstance(after, list | tuple) else [after]
    if not entries:
        return (), [f"{place}.after is empty; {legal}"]
    good = [entry for entry in entries if _is_block(entry, positions)]
    unique = tuple(dict.fromkeys(good))
    problems = [f"{place}.after is {p!r}; {legal}" for p in entries if not _is_block(p, positions)]
    problems += [
        f"{place}.after has {p} more than once; name each block once"
        for p in unique
        if good.count(p) > 1
    ]
    return unique, problems


def _is_block(value: object, positions: int) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= positions


def _check_block_options(place: str, name: str, options: Document) -> list[str]:
    hidden = {"previous_channels": ()} if uses_previous(name) else {}
    problems = []
    for key, value in options.items():
        try:
            if key in hidden:
                raise FaultdiagError("is set by the network; leave it out")
            attention.BLOCKS.check_options(name, {key: value, **hidden})
        except FaultdiagError as error:
            problems.append(f"{place}.{key}: {error}")
    return problems


def build(
    name: str,
    channels: int,
    classes: int,
    *,
    length: int,
    attention: Attention = None,
    representation: Representation = None,
    sampling_rate: float | None = None,
    **options: object,
) -> "nn.Module":
    """Build a network that returns ``(batch, classes)`` logits of ``(batch, channels, length)``.

    Parameters
    ----------
    name
        A name of `NETWORKS`.
    channels, classes, length
        Channels and samples of a window; number of logits.
    attention
        None, one slot or a list of slots: ``{"name": "eca", "after": [2], "residual": True}``
        and the block's own options. Every position gets a block of its own.
    representation
        What the network sees of a window: a name of `faultdiag.representations`, or ``{name,
        **options}``; unless given what the network is made for, which is the raw window for most.
        It may need the shaft rate of each window as a second argument of the network
        (`needs_speed`), or its conditions (`needs_bearing`).
    sampling_rate
        Hz; most representations need it.
    options
        The network's options; ``NETWORKS.options(name)`` lists them.

    Raises
    ------
    FaultdiagError
        For a name, option, position or length that does not exist or does not work; all such
        problems are in the one message, a line each.

    Examples
    --------
    >>> network = build("wdcnn", 1, 10, length=2048, attention={"name": "eca", "after": 2})
    >>> sum(p.numel() for p in network.parameters())
    60713
    """
    return parse_spec(
        name,
        channels,
        classes,
        length=length,
        attention=attention,
        representation=representation,
        sampling_rate=sampling_rate,
        options=options,
    ).build()


def kernel_parameters(network: "nn.Module") -> list["nn.Parameter"]:
    """Return the kernels of the convolutions and dense layers outside attention slots.

    These are what the published L2 penalty applies to: no bias, no normalisation, no attention.

    Examples
    --------
    >>> kernels = kernel_parameters(build("wdcnn", 1, 10, length=2048))
    >>> len(kernels), sum(kernel.numel() for kernel in kernels)
    (7, 59880)
    """
    from faultdiag.models.layers import kernels_of

    return kernels_of(network)


def needs_speed(network: "nn.Module") -> bool:
    """Whether a network must be given the shaft speed of each window."""
    from faultdiag.models import layers

    return layers.needs_speed(network)


def needs_bearing(network: "nn.Module") -> bool:
    """Whether a network must be given the conditions ``(B, 5)`` of the windows.

    These are `faultdiag.signal.bearings.CONDITIONS`: the shaft rate and the fault orders. Where it
    needs the speed alone it takes the shaft rates, ``(B,)`` in Hz.
    """
    from faultdiag.models import layers

    return layers.needs_bearing(network)
