# SPDX-License-Identifier: Apache-2.0
"""Several tiles of one frame in one call of the model, for packs that take batches.

What is done to one tile is written as a generator that yields what the model is to run and is sent its answer. Here a
few of them are driven side by side, and what they ask for at the same time goes to the model together. Which tiles
share a call follows from the plan of tiles and the manifest alone, never from free memory or other requests, so that a
frame has the same bytes each time.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import TypeVar

from understudy.contracts.manifest import Contract
from understudy.contracts.model import Call, PackedModel, Tensors
from understudy.roles.tiling import ONE, Tile

T = TypeVar("T")

Steps = Generator[tuple[Tensors, Call], Tensors, T]
"""Work on one tile: yields tensors and a call, is sent what the model makes of them, returns the tile's result."""

_MOST_PIXELS = 2048 * 1152
"""A batch has no more pixels than an HD frame, which packs may be given as one tile."""


def batch_size(contract: Contract, tiles: Sequence[Tile], scale: Fraction = ONE) -> int:
    """How many tiles go into one call.

    Args:
        contract: The pack's.
        tiles: Of the frame; all of one size.
        scale: Output pixels per input pixel.
    """
    pixels = tiles[0].source.width * tiles[0].source.height * max(ONE, scale) ** 2
    return max(1, min(contract.max_batch, len(tiles), int(_MOST_PIXELS / pixels)))


def in_batches(model: PackedModel, jobs: Iterable[Steps[T]], most: int) -> Iterator[T]:
    """The results of jobs, in their order.

    Args:
        model: What runs the tensors that they yield.
        jobs: Begun only when their turn comes.
        most: How many are driven side by side.

    Raises:
        PackError: The model failed.
    """
    left = iter(jobs)
    while batch := list(islice(left, most)):
        yield from _together(model, batch)


def _together(model: PackedModel, batch: Sequence[Steps[T]]) -> list[T]:
    done: dict[int, T] = {}
    asked: dict[int, tuple[Tensors, Call]] = {}

    def advance(at: int, answer: Tensors | None) -> None:
        try:
            asked[at] = next(batch[at]) if answer is None else batch[at].send(answer)
        except StopIteration as end:
            done[at] = end.value

    for at in range(len(batch)):
        advance(at, None)
    while asked:
        alike = _alike(asked)
        tensors, calls = zip(*(asked.pop(at) for at in alike), strict=True)
        for at, answer in zip(alike, _answers(model, tensors, calls), strict=True):
            advance(at, answer)
    return [done[at] for at in range(len(batch))]


def _answers(model: PackedModel, tensors: Sequence[Tensors], calls: Sequence[Call]) -> Sequence[Tensors]:
    if len(calls) == 1 or model.run_batch is None:
        return [model.run(each, call) for each, call in zip(tensors, calls, strict=True)]
    return model.run_batch(tensors, calls)


def _alike(asked: dict[int, tuple[Tensors, Call]]) -> list[int]:
    """The first that asks, and all that can go with it: the same shapes, and calls that differ in region only."""

    def kind(at: int) -> tuple[object, ...]:
        tensors, call = asked[at]
        return ({name: tensor.shape for name, tensor in tensors.items()}, replace(call, region=None))

    first = min(asked)
    return [at for at in sorted(asked) if kind(at) == kind(first)]
