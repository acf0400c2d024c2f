"""What the sections of a config are made of."""

from typing import Any

from pydantic import BaseModel, ConfigDict

# The section that says what `faultdiag protocol` compares; every other command ignores it.
PROTOCOL = "protocol"


class Section(BaseModel):
    """A section of known keys."""

    # Strict: true is no number and "5" is text.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Component(BaseModel):
    """A section whose remaining keys are the options of a named component."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> dict[str, Any]:
        """The keys that no field takes."""
        return dict(self.__pydantic_extra__ or {})
