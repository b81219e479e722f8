# SPDX-License-Identifier: Apache-2.0
"""The model protocol: tensors in, tensors out. What a pack's ``adapter.py`` implements and every runtime offers.

Tensors are float32 ``(height, width, channels)``, top row first, in the encoding that the pack's contract declares.
Displacements are in pixels with u right and **v down** (image rows), as OpenCV has them; roles turn v up for plates.

======================  ==========================================  ====================================================
role                    in                                          out
======================  ==========================================  ====================================================
motion                  ``a`` (h,w,3), ``b`` (h,w,3)                ``forward`` (h,w,2): a's pixel p is at p+forward
                                                                    in b; ``backward`` (h,w,2): b's pixel p is at
                                                                    p+backward in a; optional ``forward_confidence``,
                                                                    ``backward_confidence`` (h,w,1) in 0-1
interpolate             ``a``, ``b`` (h,w,3), ``forward``,          ``to_a``, ``to_b`` (h,w,2): the pixel p at time t is
                        ``backward`` (h,w,2); ``call.time``         at p+to_a in a and p+to_b in b; ``weight`` (h,w,1):
                                                                    share of b in 0-1; optional ``confidence`` (h,w,1),
                                                        0-1, in place of what the vectors' would be
upscale                 ``image`` (h,w,c); ``call.region``          ``image``: exactly the pixels of ``call.region``
relight                 ``image`` (h,w,3)                           ``normal`` (h,w,3), optional ``albedo`` (h,w,3) and
                                                                    ``confidence`` (h,w,1); **or** ``image`` (h,w,3),
                                                                    the relit picture in the same encoding
======================  ==========================================  ====================================================
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from understudy.contracts.jobs import PackPin
from understudy.contracts.manifest import OptionValue, PackManifest
from understudy.contracts.plate import FloatImage

Tensors = dict[str, FloatImage]
Tensor = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Region:
    """The part of an upscaled image that a call must return, so that tiles keep the phase of the whole.

    Output pixel ``i`` (absolute) has its center at ``(i + 0.5) / scale - 0.5`` in absolute input pixels.

    Attributes:
        in_x: Absolute input column of the tensor's first column.
        in_y: Absolute input row of the tensor's first row.
        x: Absolute output column of the first pixel to return.
        y: Absolute output row of the first pixel to return.
        width: Columns to return.
        height: Rows to return.
    """

    in_x: int
    in_y: int
    x: int
    y: int
    width: int
    height: int


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a call asks for beside its tensors.

    Attributes:
        scale: Upscale factor.
        region: What an upscaler returns; None for other roles.
        time: Where between a (0) and b (1) an interpolator stands.
        draft: The caller prefers speed.
        options: The pack's own knobs, each one set.
        out: Where an upscaler may write ``image``: of the region's size, pixels contiguous within rows, maybe a view of
            the whole frame. A model that does returns this very array; one that does not care makes its own.
        cancelled: Whether the caller has given up; a model that waits for others asks it, and raises JobCancelledError.
    """

    scale: Fraction = Fraction(1)
    region: Region | None = None
    time: float = 0.0
    draft: bool = False
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    out: FloatImage | None = field(default=None, compare=False, repr=False)
    cancelled: Callable[[], bool] = _never


class Model(Protocol):
    """A loaded model. ``run`` may be called from one thread at a time."""

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """One call; see the table above for the names."""
        ...

    def close(self) -> None:
        """Frees what the model holds; no call follows."""
        ...


@runtime_checkable
class BatchModel(Model, Protocol):
    """A model that may offer more: several calls in one. Used for packs whose contract says ``max_batch`` over 1."""

    def run_batch(self, batch: Sequence[Mapping[str, FloatImage]], calls: Sequence[Call], /) -> Sequence[Tensors]:
        """Several calls at once: tensors of the same names and shapes, calls alike but for region and ``out``.

        Returns:
            For each what `run` would return, with the same bytes.
        """
        ...


class Graph(Protocol):
    """The ONNX graph of a Python pack (``runtime.graph``), open on the engine's device; ``load`` gets it."""

    def run(self, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """One run, from one thread at a time.

        Args:
            inputs: The graph's own inputs by name, C-contiguous, of its own types and layout.

        Returns:
            All its outputs by name.

        Raises:
            PackError: It failed.
            MemoryBudgetError: It ran out of memory.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """A tensor that a model takes or gives, as the model itself has it.

    Attributes:
        name: The model's own name.
        dtype: The model's own type.
        shape: Its sides; -1 is any.
        optional: It may be left out; then the call's ``scale``, ``time`` or option of that name is taken.
    """

    name: str
    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSignature:
    """All tensors of a model.

    Attributes:
        platform: What runs it: ``onnxruntime_onnx`` or ``python``.
        layout: Axes of an image: ``NCHW`` with N = 1, or ``HWC``.
        inputs: What it takes.
        outputs: What it gives.
    """

    platform: str
    layout: Literal["NCHW", "HWC"]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


WhenCancelled = Callable[[Callable[[], object]], object]
"""Takes a function to call, once, when the caller gives up."""


class TensorModel(Protocol):
    """A loaded model as itself: its own names, types and layout, no tiles, no color.

    Images may be float16 or float32 whatever the model has, on the way in and on the way out; what is finite and beyond
    half's range becomes ±65504 where float16 is written.
    """

    def signature(self) -> TensorSignature:
        """Its tensors. A model that does not declare them is run once, on a small picture, to see.

        Raises:
            PackError: It failed then.
        """
        ...

    def output_shapes(self, shapes: Mapping[str, tuple[int, ...]], call: Call, /) -> dict[str, tuple[int, ...]]:
        """The shape of every output for inputs of these shapes.

        Raises:
            UsageError: An input is unknown, missing, or of a shape that the model does not take.
        """
        ...

    def run_tensors(
        self,
        inputs: Mapping[str, Tensor],
        outputs: Mapping[str, Tensor],
        call: Call,
        /,
        *,
        when_cancelled: WhenCancelled | None = None,
    ) -> None:
        """One call; from one thread at a time.

        Args:
            inputs: C-contiguous, of shapes that `output_shapes` took.
            outputs: What is wanted: C-contiguous arrays of the shapes that it gave, to be written. They overlap neither
                each other nor an input.
            call: ``scale``, ``time`` and ``options``; no region.
            when_cancelled: A model that can be stopped amid a call asks here to be told.

        Raises:
            UsageError: An input has a type that the model does not take, or an output is one that it did not give.
            PackError: The model failed.
            MemoryBudgetError: It ran out of memory.
            JobCancelledError: It was stopped.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedModel:
    """A loaded model with the promise it was loaded under.

    Attributes:
        manifest: The pack's manifest.
        pin: Id, version and digest.
        device: Where it runs: ``cpu``, ``cuda:0``.
        run: One call, safe from several threads.
        run_batch: Several calls in one, as `BatchModel` has it, safe from several threads; None where it can't.
        tensors: The same model without its role: its own names, types and layout. Safe from several threads.
        settle: Checks option values against the manifest and fills in defaults; raises UsageError.
        providers: ONNX Runtime's execution providers in use; empty for Python packs.
        precision: What it computes in.
        draft_precision: What it computes drafts in, where that is something else.
        libraries: Modules that decide what it computes.
    """

    manifest: PackManifest
    pin: PackPin
    device: str
    run: Callable[[Mapping[str, FloatImage], Call], Tensors]
    tensors: TensorModel
    settle: Callable[[Mapping[str, OptionValue]], dict[str, OptionValue]]
    run_batch: Callable[[Sequence[Mapping[str, FloatImage]], Sequence[Call]], Sequence[Tensors]] | None = None
    providers: tuple[str, ...] = ()
    precision: str = "float32"
    draft_precision: str = ""
    libraries: frozenset[str] = frozenset()
