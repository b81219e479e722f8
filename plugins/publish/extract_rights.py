# SPDX-License-Identifier: Apache-2.0
"""Adds the rights record of each model that made the frames."""

import tempfile
from pathlib import Path

import pyblish.api

from understudy_bridge import run


class ExtractRights(pyblish.api.InstancePlugin):
    """Adds a representation ``mlbom``: the CycloneDX record of each pack, as the provenance record holds it."""

    label = "Extract rights of the models"
    order = pyblish.api.ExtractorOrder
    families = ["understudy"]
    targets = ["default", "farm"]

    def process(self, instance):
        """Runs ``understudy provenance mlbom`` into a temporary folder."""
        if not instance.data.get("record"):
            return
        folder = tempfile.mkdtemp(prefix="understudy-rights-")
        instance.data["rightsFolder"] = folder
        events = run(["provenance", "mlbom", "--", instance.data["record"], folder])
        names = [Path(event["file"]).name for event in events if event.get("event") == "file"]
        if names:
            instance.data["representations"].append(
                {
                    "name": "mlbom",
                    "ext": "json",
                    "files": names[0] if len(names) == 1 else names,
                    "stagingDir": folder,
                    "folder": "mlbom",
                    "tags": ["data"],
                }
            )
