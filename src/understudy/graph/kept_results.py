# SPDX-License-Identifier: Apache-2.0
"""What roles computed in earlier renders, so that it is not computed again.

A result is kept under a digest of the whole request: pack, parameters, OCIO config, class of the device, this program's
version, and every input plate, pixels and header. An engine answers the same request with the same bytes, so taking
the kept result changes nothing, whatever graph, job or file the plates came from.

Kept are the results that other nodes build on; one that goes to a single write and nowhere else is kept by the file
itself. And only what takes longer to compute than to read: motion does, a Lanczos upscale does not.
"""

import json
import time
import weakref
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from blake3 import blake3

from understudy.contracts.engine import Control, Engine
from understudy.contracts.jobs import PackPin, RoleRequest, RoleResult
from understudy.graph.document import Graph, InterpolateNode, RoleNode, WriteNode, inputs_of
from understudy.graph.pins import motion_key
from understudy.graph.plate_cache import Entry, PlateCache, plate_facts

_WORTH_BYTES_PER_S = 100e6
_LEAST_S = 0.005
"""Keeping a result and reading it back once, checksums and all, goes at some 200 MB a second on a plain disk."""

_WAITING_BYTES = 256 << 20
_CHEAP = 2
"""After so many results of a node that were not worth it, its requests are no longer looked for."""


def worth_keeping(seconds: float, nbytes: int) -> bool:
    """Whether a result took longer to compute than it takes to keep it and to read it back, by a good margin."""
    return seconds >= _LEAST_S + nbytes / _WORTH_BYTES_PER_S


def nodes_to_keep(graph: Graph) -> frozenset[str]:
    """The nodes on whose results others build; ``<node>.motion`` for the vectors that an interpolation makes itself."""
    users: dict[str, list[bool]] = {}
    for node in graph.nodes.values():
        for source in set(inputs_of(node).values()):
            users.setdefault(source, []).append(isinstance(node, WriteNode))
    kept = {name for name, node in graph.nodes.items() if isinstance(node, RoleNode) and users.get(name) != [True]}
    own = {name for name, node in graph.nodes.items() if isinstance(node, InterpolateNode) and not node.vectors}
    return frozenset(kept | {motion_key(name) for name in own})


class KeptResults:
    """Results of one render.

    Args:
        cache: Where they are.
        nodes: Whose results are kept.
        shared: What holds for the whole render and decides pixels, as JSON values.
    """

    def __init__(self, cache: PlateCache, nodes: frozenset[str], shared: Mapping[str, Any]) -> None:
        self._cache = cache
        self._nodes = nodes
        self._shared = dict(shared)
        self._cheap: dict[str, int] = {}
        self._taken: list[str] = []
        self._digests: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="keep")
        self._waiting: list[tuple[Future[bool], int]] = []

    def run(self, node: str, request: RoleRequest, engine: Engine, control: Control) -> RoleResult:
        """The result of a request: the kept one, or the engine's.

        Args:
            node: Whose request it is.
            request: The request.
            engine: Computes it where nothing is kept.
            control: Hears the warnings of a kept result too.

        Raises:
            UnderstudyError: Whatever the engine raises.
        """
        if node not in self._nodes or self._cheap.get(node, 0) >= _CHEAP:
            return engine.run(request, control)
        key = self._key(request)
        found = self._cache.get(key)
        if found is not None:
            self._taken.append(node)
            for message in found.facts["warnings"]:
                control.warn(message)
            return RoleResult(
                plates=found.plates,
                pack=PackPin(**found.facts["pack"]),
                confidence=found.facts["confidence"],
                report=found.facts["report"],
            )
        warnings: list[str] = []

        def warn(message: str) -> None:
            warnings.append(message)
            control.warn(message)

        began = time.monotonic()
        result = engine.run(request, Control(control.progress, control.cancelled, warn, control.timed))
        self._keep(node, key, result, warnings, time.monotonic() - began)
        return result

    def taken(self) -> tuple[str, ...]:
        """The nodes of which kept results were taken since this was asked last, one name for each result."""
        taken, self._taken = tuple(self._taken), []
        return taken

    def close(self) -> None:
        """Ends what is being kept; what has not begun is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._waiting.clear()

    def finish(self) -> None:
        """Waits until everything is kept."""
        self._pool.shutdown(wait=True)
        self._waiting.clear()

    def _keep(self, node: str, key: str, result: RoleResult, warnings: list[str], seconds: float) -> None:
        pin = result.pack
        facts = {
            "pack": {"id": pin.id, "version": pin.version, "sha256": pin.sha256},
            "confidence": result.confidence,
            "report": dict(result.report),
            "warnings": warnings,
        }
        entry = Entry(plates=result.plates, facts=facts)
        if not worth_keeping(seconds, entry.nbytes):
            self._cheap[node] = self._cheap.get(node, 0) + 1
            return
        self._cheap[node] = 0
        self._waiting.append((self._pool.submit(self._cache.put, key, entry), entry.nbytes))
        while self._waiting and (self._waiting[0][0].done() or sum(size for _, size in self._waiting) > _WAITING_BYTES):
            self._waiting.pop(0)[0].result()

    def _key(self, request: RoleRequest) -> str:
        pin = request.pack
        plates = {name: [plate_facts(plate), self._pixels(plate.pixels)] for name, plate in request.plates.items()}
        said = [
            self._shared,
            [pin.id, pin.version, pin.sha256],
            request.params.model_dump(mode="json"),
            sorted(plates.items()),
        ]
        text = json.dumps(said, separators=(",", ":"))
        return f"{request.params.role.value}-{blake3(text.encode()).hexdigest()[:32]}"

    def _pixels(self, pixels: "np.ndarray[Any, np.dtype[np.float32]]") -> str:
        """The digest of samples; a plate that serves several requests is read once."""
        known = self._digests.get(id(pixels))
        if known is not None and known[0]() is pixels:
            return known[1]
        self._digests = {key: value for key, value in self._digests.items() if value[0]() is not None}
        digest = blake3(pixels.data.cast("B"), max_threads=blake3.AUTO).hexdigest()[:32]
        self._digests[id(pixels)] = weakref.ref(pixels), digest
        return digest
