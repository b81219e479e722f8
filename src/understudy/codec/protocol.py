# SPDX-License-Identifier: Apache-2.0
"""The fixed facts of the wire that both ends share: names, sizes, limits."""

from understudy.wire.understudy.v1 import understudy_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["Understudy"].full_name
"""``understudy.v1.Understudy``; also the name under which health is asked."""

INFO_METHOD = "Info"
RUN_METHOD = "Run"
SHARE_METHOD = "ShareMemory"
ESTIMATE_METHOD = "Estimate"
REACH_METHOD = "Reach"
RENDER_METHOD = "Render"

CHUNK_BYTES = 2 << 20
"""Pixels per message. One to two MiB measures fastest: blocks stay in the cache and the allocator reuses them."""

MAX_MESSAGE_BYTES = 4 << 20
"""Largest message either end takes. It is gRPC's own default, so clients of other languages need no setting."""

MAX_METADATA_BYTES = 16 << 10
"""Largest set of headers or trailers; an error travels in the trailers."""

MAX_PLATES = 256
MAX_CHANNELS = 1024
MAX_SIDE = 1 << 17
"""Largest width or height of a window, pixels."""

MAX_PARAMS_BYTES = 256 << 10
"""Longest parameters, bytes of JSON: checking megabytes of wrong ones would take seconds."""

MAX_GRAPH_NODES = 1000
"""Most nodes of a graph that is rendered by reference."""

MAX_PROBES = 256
"""Most files that one question for reach names."""

MAX_PROBE_CONTENT = 64
"""Longest content of a file that a client wrote to ask for reach, bytes."""

PROBE_HEAD_BYTES = 1 << 20
"""How much of a file is hashed to ask for reach, bytes."""

MAX_REQUEST_ID = 64
"""Longest request id, characters."""

VERSION_KEY = "understudy-version"
"""Metadata at the start of every answer: the version of the service that gives it."""
