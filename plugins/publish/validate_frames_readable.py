# SPDX-License-Identifier: Apache-2.0
"""Refuses sequences that are not whole."""

import pyblish.api
from understudy_bridge import BridgeError, run


class ValidateFramesReadable(pyblish.api.InstancePlugin):
    """Every frame is there, decodes, and holds finite pixels."""

    label = "Frames are whole"
    order = pyblish.api.ValidatorOrder
    families = ["sequence"]  # noqa: RUF012 - pyblish's way to declare them

    def process(self, instance):  # type: ignore[no-untyped-def]
        """Asks ``understudy inspect`` and keeps its answer in ``data["inspection"]``."""
        pattern = instance.data["pattern"]
        try:
            answers = run(["inspect", pattern])
        except BridgeError as error:
            raise ValueError(f"{pattern} can't be published: {error}") from error
        instance.data["inspection"] = answers
        for answer in answers:
            missing = answer.get("missing")
            if missing:
                raise ValueError(f"{pattern}: frames {missing} are missing. Render them and publish again.")
            bad = {key: answer[key] for key in ("nan", "inf") if answer.get(key)}
            if bad:
                raise ValueError(f"{pattern}: pixels are not finite ({bad}). Fix them upstream and publish again.")
