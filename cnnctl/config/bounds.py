"""Number types of options, and sections that a single number can stand for."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from cnnctl.config.choice import refusal
from cnnctl.config.wording import exact

PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
UnitInterval = Annotated[float, Field(ge=0, le=1)]
Float32 = Annotated[float, Field(ge=-1e38, le=1e38)]
PositiveFraction = Annotated[float, Field(gt=0, le=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
# beyond these limits torch itself fails, with a message that does not help
PositiveInt = Annotated[int, Field(gt=0, le=10**9)]
NonNegativeInt = Annotated[int, Field(ge=0, le=10**9)]


def _rising(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        low, high = sorted(bounds)
        raise refusal("the range ends below its start", hint=f"write [{exact(low)}, {exact(high)}]")
    return bounds


_RISING = (Field(strict=False), AfterValidator(_rising))
PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], *_RISING]
FractionRange = Annotated[tuple[PositiveFraction, PositiveFraction], *_RISING]


def alone(name: str, forms: object) -> BeforeValidator:
    """Let a single number set the field `name` of a section: `warmup: 5` is `{epochs: 5}`.

    `forms` is the type of all accepted forms, for the JSON schema.
    """

    def long_form(value: object) -> object:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {name: value} if is_number else value

    return BeforeValidator(long_form, json_schema_input_type=forms)
