# SPDX-License-Identifier: Apache-2.0
"""What a render tells while it runs. Each event is one JSON object a line with ``--json``."""

from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
"""Always has ``event``; the other keys by its value:

=========  ==========================================================================================================
event      further keys
=========  ==========================================================================================================
transport  ``name`` (how frames travel to ``--server``: ``shared-memory``, ``stream``), ``reason`` (why not faster)
workers    ``count``, ``where``: Dask workers that were found fit to render, and their scheduler
start      ``frames`` (count), ``graph`` (digest), ``ocio`` (config name), ``draft``
plan       ``node`` (the write), ``state`` (``done``, ``missing``, ``damaged``, ``stale``, ``unknown``), ``frames``,
           ``count``, ``why``: outputs that stand alike; all but those that are done are made
color      ``node``, ``colorspace``, ``rule`` (what decided it), ``detail``
policy     ``by`` (``caller`` or ``engine``), ``show``, ``sha256`` of the show policy that was asked
pack       ``node``, ``id``, ``version``, ``sha256``, ``title``, ``badge``, ``badge_reasons``
warning    ``message``, ``node`` or ``frame`` where there is one; ``request_id`` where it is a request's
step       ``node``, ``frame``, ``done``, ``total``: progress within a frame; ``request_id``, as a service's log has it
timings    ``node``, ``frame``, ``request_id``: what a service says of one request: ``receive_s`` until its pixels were
           there, ``queue_s`` waiting for a worker, ``run_s`` on it
frame      ``node`` (the write), ``frame``, ``file``, ``done``, ``total``, ``seconds``, ``confidence``, ``skipped``,
           ``report``, ``cached`` (nodes whose results were taken from earlier renders)
done       ``frames``, ``skipped``, ``seconds``, ``max_in``, ``max_out``, ``clamped``, ``confidence``,
           ``cached`` (how many results were taken from earlier renders)
error      ``kind``, ``problem``, ``where``, ``fix``, ``exit_code``; ``request_id`` where a service may have logged more
=========  ==========================================================================================================
"""

Listener = Callable[[Event], None]
