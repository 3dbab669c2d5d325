"""What only a spec itself can see, as options that contradict each other."""

from pydantic_core import PydanticCustomError


def refusal(message: str, *, cure: str) -> PydanticCustomError:
    """What a validator of a spec raises: a fault at what it validates, with its cure."""
    return PydanticCustomError("refusal", "{message}", {"message": message, "cure": cure})
