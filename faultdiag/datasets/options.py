"""Types of options that several datasets take."""

from typing import Annotated

from pydantic import Field

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
