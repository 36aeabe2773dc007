from typing import TypeVar

_T = TypeVar("_T")

# A class in Lava; as a function it says what Lava puts in the attribute's place before a model runs.
def LavaPyType(cls: type[_T], d_type: type, precision: int | None = None) -> _T: ...
