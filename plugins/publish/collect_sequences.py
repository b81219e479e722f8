# SPDX-License-Identifier: Apache-2.0
"""Makes one publish instance of each frame sequence."""

import pyblish.api


class CollectSequences(pyblish.api.ContextPlugin):
    """One instance for each entry of ``context.data["sequences"]``.

    An entry is a pattern, such as ``plate.%04d.exr``, or a pair of a pattern and the frames that must be there, such as
    ``("plate.%04d.exr", "1001-1100")``.
    """

    label = "Collect sequences"
    order = pyblish.api.CollectorOrder

    def process(self, context):
        """Adds instances of family ``sequence`` with ``data["pattern"]`` and ``data["frames"]`` (empty if not told)."""
        for entry in context.data.get("sequences", ()):
            pattern, frames = (entry, "") if isinstance(entry, str) else entry
            instance = context.create_instance(name=pattern, family="sequence")
            instance.data["families"] = ["sequence"]
            instance.data["pattern"] = pattern
            instance.data["frames"] = frames
