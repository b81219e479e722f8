# SPDX-License-Identifier: Apache-2.0
"""Makes one publish instance of each frame sequence."""

import pyblish.api


class CollectSequences(pyblish.api.ContextPlugin):
    """One instance for each pattern in ``context.data["sequences"]``, such as ``plate.%04d.exr``."""

    label = "Collect sequences"
    order = pyblish.api.CollectorOrder

    def process(self, context):  # type: ignore[no-untyped-def]
        """Adds instances of family ``sequence`` with the pattern in ``data["pattern"]``."""
        for pattern in context.data.get("sequences", ()):
            instance = context.create_instance(name=str(pattern), family="sequence")
            instance.data["families"] = ["sequence"]
            instance.data["pattern"] = str(pattern)
