# SPDX-License-Identifier: Apache-2.0
"""Refuses sequences that are not whole."""

import pyblish.api

from understudy_bridge import BridgeError, run


class ValidateFramesReadable(pyblish.api.InstancePlugin):
    """Every frame is there, decodes, and holds finite pixels."""

    label = "Frames are whole"
    order = pyblish.api.ValidatorOrder
    families = ["sequence"]

    def process(self, instance):
        """Asks ``understudy inspect``, keeps its answer in ``data["inspection"]``, and tells all that is wrong."""
        pattern, frames = instance.data["pattern"], instance.data.get("frames", "")
        try:
            answers = run(["inspect", *(["--frames", frames] if frames else []), "--", pattern])
        except BridgeError as error:
            answers = [event for event in error.events if event.get("event") == "inspect"]
            if not answers:
                raise ValueError(f"{pattern} could not be looked at: {error}") from error
        instance.data["inspection"] = answers
        problems = [problem for answer in answers for problem in find_problems(answer)]
        if problems:
            raise ValueError("\n".join([f"{pattern} is not whole:", *(f"- {problem}" for problem in problems)]))


def find_problems(answer):
    """Sentences about one object of ``understudy inspect --json``: what is wrong, and what to do."""
    if answer.get("missing"):
        yield f"Frames {answer['missing']} are missing. Render them and publish again."
    for error in answer["errors"]:
        where = f"{error['where']}: " if error["where"] else ""
        fix = f"; {error['fix']}" if error["fix"] else ""
        yield f"{where}{error['problem']}{fix}."
    counts = [f"{answer[key]} {name}" for key, name in (("nan", "NaN"), ("inf", "infinite")) if answer.get(key)]
    if counts:
        yield f"{' and '.join(counts)} samples. Find the division by zero or the bad render, fix it and publish again."
