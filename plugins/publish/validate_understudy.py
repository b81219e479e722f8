# SPDX-License-Identifier: Apache-2.0
"""Refuses renders that must not be published: one validator per family of checks.

All of them share one run of ``understudy publish --check-only``. The checks, by family, are in the guide.
"""

import pyblish.api

from understudy_bridge.publishing import repair, repair_record, select_frames, share


def _failed(context, plugin):
    """The instances that a plug-in failed on. An instance is a list and can't be hashed, so there is no set."""
    found: list[pyblish.api.Instance] = []
    for result in context.data["results"]:
        instance = result["instance"]
        failed = result["plugin"] is plugin and result["error"] is not None and instance is not None
        if failed and not any(instance is other for other in found):
            found.append(instance)
    return found


class SelectFrames(pyblish.api.Action):
    """Puts the frames that are wrong into ``instance.data["selectedFrames"]``."""

    label = "Select the frames"
    icon = "search"
    on = "failed"

    def process(self, context, plugin):
        """Selects for every instance that failed."""
        for instance in _failed(context, plugin):
            self.log.info("%s: frames %s", instance, select_frames(instance, plugin.check_family))


class RepairFrames(pyblish.api.Action):
    """Renders the wrong frames again."""

    label = "Repair"
    icon = "wrench"
    on = "failed"

    def process(self, context, plugin):
        """Repairs every instance that failed."""
        for instance in _failed(context, plugin):
            self.log.info("%s: rendered frames %s again", instance, repair(instance, plugin.check_family))


class RepairRecord(pyblish.api.Action):
    """Writes the record of frames that have none."""

    label = "Write the record"
    icon = "pencil"
    on = "failed"

    def process(self, context, plugin):
        """Repairs every instance that failed and came from a graph."""
        for instance in _failed(context, plugin):
            repair_record(instance)


class ValidateFrames(pyblish.api.InstancePlugin):
    """The frames are all there, whole, once, and made of numbers."""

    label = "Frames"
    order = pyblish.api.ValidatorOrder - 0.1  # it runs the checks for all the others
    families = ["understudy"]
    targets = ["default", "farm"]
    actions = [SelectFrames, RepairFrames]
    check_family = "frames"

    def process(self, instance):
        """Tells what the checks of the family found."""
        share(instance, self.check_family, self.log, fresh=True)


class ValidateColor(pyblish.api.InstancePlugin):
    """The frames are in the color space that they say, and that the show takes."""

    label = "Color"
    order = pyblish.api.ValidatorOrder
    families = ["understudy"]
    targets = ["default", "farm"]
    actions = [SelectFrames, RepairFrames]
    check_family = "color"

    def process(self, instance):
        """Tells what the checks of the family found."""
        share(instance, self.check_family, self.log)


class ValidatePicture(pyblish.api.InstancePlugin):
    """Windows, channels and alpha came through."""

    label = "Windows, channels and alpha"
    order = pyblish.api.ValidatorOrder
    families = ["understudy"]
    targets = ["default", "farm"]
    actions = [SelectFrames, RepairFrames]
    check_family = "picture"

    def process(self, instance):
        """Tells what the checks of the family found."""
        share(instance, self.check_family, self.log)


class ValidateRecord(pyblish.api.InstancePlugin):
    """The record is there, and the frames are those it tells of."""

    label = "Provenance record"
    order = pyblish.api.ValidatorOrder
    families = ["understudy"]
    targets = ["default", "farm"]
    actions = [SelectFrames, RepairFrames, RepairRecord]
    check_family = "record"

    def process(self, instance):
        """Tells what the checks of the family found."""
        share(instance, self.check_family, self.log)


class ValidatePacks(pyblish.api.InstancePlugin):
    """The models may be used for this show."""

    label = "Models"
    order = pyblish.api.ValidatorOrder
    families = ["understudy"]
    targets = ["default", "farm"]
    actions = [SelectFrames]
    check_family = "packs"

    def process(self, instance):
        """Tells what the checks of the family found."""
        share(instance, self.check_family, self.log)


class ValidateRights(pyblish.api.InstancePlugin):
    """People consented, and what becomes final was approved."""

    label = "Consent and approval"
    order = pyblish.api.ValidatorOrder
    families = ["understudy"]
    targets = ["default", "farm"]
    actions = [SelectFrames]
    check_family = "rights"

    def process(self, instance):
        """Tells what the checks of the family found."""
        share(instance, self.check_family, self.log)


class ValidateQuality(pyblish.api.InstancePlugin):
    """How good the frames are: warnings only."""

    label = "Quality"
    order = pyblish.api.ValidatorOrder + 0.1
    families = ["understudy"]
    targets = ["default", "farm"]
    optional = True
    actions = [SelectFrames, RepairFrames]
    check_family = "quality"

    def process(self, instance):
        """Tells what the checks of the family found."""
        share(instance, self.check_family, self.log)
