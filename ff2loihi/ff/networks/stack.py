"""Layers of one kind, as torch keeps them."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from torch import nn

Kind = TypeVar("Kind", bound=nn.Module)


class Stack(nn.ModuleList, Generic[Kind]):
    """A ModuleList that says of what class its layers are."""

    if TYPE_CHECKING:

        def __init__(self, modules: Iterable[Kind]) -> None: ...

        def __iter__(self) -> Iterator[Kind]: ...

    @overload
    def __getitem__(self, idx: slice) -> "Stack[Kind]": ...

    @overload
    def __getitem__(self, idx: int) -> Kind: ...

    def __getitem__(self, idx):
        return super().__getitem__(idx)
