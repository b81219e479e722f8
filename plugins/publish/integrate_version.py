# SPDX-License-Identifier: Apache-2.0
"""Puts an instance into the publish root as its next version."""

import json
import shutil
import tempfile
from pathlib import Path

import pyblish.api

from understudy_bridge import run
from understudy_bridge.publishing import setting

_KEPT = (
    "asset", "productName", "productType", "frameStart", "frameEnd", "handleStart", "handleEnd", "fps", "colorspace",
    "comment",
)  # fmt: skip


class IntegrateVersion(pyblish.api.InstancePlugin):
    """Makes ``ROOT/<name>/v###``, whole or not at all; fills ``version``, ``publishDir`` and ``published``.

    The root is ``context.data["understudyRoot"]`` or ``$UNDERSTUDY_PUBLISH_ROOT``. Without one nothing is done:
    then the studio's own integrator takes ``representations``.
    """

    label = "Integrate the version"
    order = pyblish.api.IntegratorOrder
    families = ["understudy"]
    targets = ["default", "farm"]

    def process(self, instance):
        """Runs ``understudy integrate`` on a listing of the representations."""
        root = setting(instance.context, "root")
        if not root:
            self.log.info("no publish root is set, so another integrator is to take it")
            return
        data = {key: instance.data[key] for key in _KEPT if instance.data.get(key) is not None}
        listing = {
            "schema": "understudy.listing/1",
            "name": instance.data["productName"],
            "representations": instance.data["representations"],
            "data": data,
        }
        options = ["--link"] if setting(instance.context, "link") else []
        if instance.data.get("version"):
            options += ["--expect", "v{:03d}".format(instance.data["version"])]
        folder = tempfile.mkdtemp(prefix="understudy-listing-")
        try:
            path = Path(folder) / "listing.json"
            path.write_text(json.dumps(listing), encoding="utf-8")
            (event,) = [
                event
                for event in run(["integrate", "--to", root, *options, "--", str(path)])
                if event.get("event") == "integrated"
            ]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            for made in ("reviewFolder", "rightsFolder"):
                shutil.rmtree(instance.data.pop(made, ""), ignore_errors=True)
        instance.data.update(version=event["version"], publishDir=event["folder"], published=event)
        self.log.info("published %s", event["folder"])
