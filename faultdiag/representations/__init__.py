"""Input representations by name: ``(batch, channels, length)`` windows to what a network sees.

A representation is one file and one row of `REPRESENTATIONS`; it is put in front of any network
and has no parameters. Its class is called with ``(channels, length, sampling_rate)`` and its
options as keyword-only parameters, and has ``reference`` and ``needs_speed``; an instance has
``out_channels`` and ``out_length``. Called with windows it returns ``(batch, out_channels,
out_length)``. Where ``needs_speed`` is true it is also called with the shaft rates ``(batch,)`` in
Hz, and where ``needs_bearing`` is true with the conditions ``(batch, 5)`` in their place
(`faultdiag.signal.bearings.CONDITIONS`). With ``needs_rate = False`` it works without a sampling
rate. Importing this package does not import torch; building a representation does.
"""

from typing import TYPE_CHECKING, Any

from faultdiag.registry import Registry

if TYPE_CHECKING:
    from torch import nn


REPRESENTATIONS: "Registry[nn.Module]" = Registry(
    "representation",
    {
        "raw": "faultdiag.representations.raw:Raw",
        "spectrum": "faultdiag.representations.spectrum:AmplitudeSpectrum",
        "envelope_spectrum": "faultdiag.representations.envelope_spectrum:EnvelopeSpectrum",
        "order_envelope_spectrum": (
            "faultdiag.representations.order_envelope_spectrum:OrderEnvelopeSpectrum"
        ),
        "stft": "faultdiag.representations.stft:ShortTimeSpectra",
        "log_psd": "faultdiag.representations.log_psd:LogPowerSpectrum",
        "log_spectra": "faultdiag.representations.log_spectra:LogSpectra",
        "fault_order_combs": "faultdiag.representations.fault_order_combs:FaultOrderCombs",
        "vmd": "faultdiag.representations.vmd:VariationalModes",
    },
    group="faultdiag.representations",
)


def build(
    name: str, channels: int, length: int, sampling_rate: float, **options: Any
) -> "nn.Module":
    """Build the representation registered as `name` for windows ``(channels, length)``.

    Parameters
    ----------
    name
        A name of `REPRESENTATIONS`.
    channels, length
        Channels and samples of a window.
    sampling_rate
        Hz.
    options
        The representation's own options; ``REPRESENTATIONS.options(name)`` lists them.

    Raises
    ------
    FaultdiagError
        For an unknown name or option, and for options that no window of this length and rate
        can fulfil.

    Examples
    --------
    >>> front = build("envelope_spectrum", 1, 2048, 12000, bands=4, max_frequency=1000)
    >>> front.out_channels, front.out_length
    (4, 171)
    """
    return REPRESENTATIONS.build(name, channels, length, sampling_rate, **options)
