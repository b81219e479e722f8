# SPDX-License-Identifier: Apache-2.0
"""Makes the pictures that people look at: movies, a thumbnail, a contact sheet."""

import tempfile
from pathlib import Path

import pyblish.api

from understudy_bridge import run
from understudy_bridge.publishing import findings, frames_of, setting


class ExtractReview(pyblish.api.InstancePlugin):
    """Adds representations ``h264``, ``prores``, ``thumbnail`` and ``contactsheet``.

    ``understudyMovies`` (or ``$UNDERSTUDY_PUBLISH_MOVIES``) says which movies: ``h264,prores``, or ``none``.
    With a signer's ``understudyCertificate`` and ``understudyKey`` the files carry a C2PA manifest of their own.
    """

    label = "Extract review"
    order = pyblish.api.ExtractorOrder
    families = ["understudy"]
    targets = ["default", "farm"]
    optional = True

    def process(self, instance):
        """Runs ``understudy review`` into a temporary folder."""
        folder = tempfile.mkdtemp(prefix="understudy-review-")
        instance.data["reviewFolder"] = folder
        options = ["--movies", setting(instance.context, "movies", "auto")]
        if instance.data.get("version"):
            options += ["--version", "v{:03d}".format(instance.data["version"])]
        for name in ("certificate", "key"):
            if setting(instance.context, name):
                options += [f"--{name}", setting(instance.context, name)]
        doubts = frames_of([one for one in findings(instance) if one["check"] == "confidence-low"])
        if doubts:
            options += ["--doubts", ",".join(map(str, doubts))]
        for event in run(["review", *options, "--", instance.data["source"], folder]):
            if event.get("event") == "file":
                name = Path(event["file"]).name
                representation = {
                    "name": event["name"],
                    "ext": name.rpartition(".")[2],
                    "files": name,  # one file is a text, several are a list
                    "stagingDir": folder,
                    "folder": "review",
                    "derived": True,
                    "tags": ["thumbnail"] if event["name"] == "thumbnail" else ["review"],
                }
                if event["name"] in ("h264", "prores"):
                    representation["fps"] = instance.data["fps"]
                instance.data["representations"].append(representation)
                self.log.info("made %s", name)
