# SPDX-License-Identifier: Apache-2.0
"""Makes one publish instance of each product that a record, a graph or a folder holds."""

import pyblish.api

from understudy_bridge import run
from understudy_bridge.publishing import rules_options, setting


class CollectUnderstudy(pyblish.api.ContextPlugin):
    """One instance for each product.

    The source is ``context.data["understudySource"]`` or ``$UNDERSTUDY_PUBLISH_SOURCE``; without one nothing is done.
    Instances get the keys that AYON and OpenPype integrators read.
    """

    label = "Collect Understudy renders"
    order = pyblish.api.CollectorOrder
    targets = ["default", "farm"]

    def process(self, context):
        """Adds instances of families ``understudy`` and ``render`` (or ``data``)."""
        source = setting(context, "source")
        if not source:
            return
        context.data.setdefault("comment", "")
        context.data["currentFile"] = source
        root = ["--to", setting(context, "root")] if setting(context, "root") else []
        graph = source if source.endswith((".yaml", ".yml")) else ""
        for event in run(["publish", *rules_options(context), *root, "--list", "--", source]):
            if event.pop("event", "") == "instance":
                instance = context.create_instance(event.pop("name"), family=event["families"][1])
                instance.data.update(event, asset=event["productName"], graph=graph, publish=True)
                self.log.info("collected %s", instance)
