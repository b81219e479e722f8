# SPDX-License-Identifier: Apache-2.0
"""Drives every node through what may happen to it: ``exercise.py BINARY ADDRESS``. For builds with sanitizers."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ofx.rig import FRAMES, SLOW, moving, noise
from understudy.contracts.errors import JobCancelledError, UnderstudyError
from understudy.ofx_host import Effect, Footage, Host, Project, find_plugins

SOURCE = Footage(moving, first=FRAMES[0], last=FRAMES[1])
PROJECT = Project(width=96, height=64, first=FRAMES[0], last=FRAMES[1])


def main(binary: str, address: str) -> None:
    """Does it all, over both transports."""
    files = {plugin.identifier.rpartition(".")[2]: plugin for plugin in find_plugins([Path(binary)])}
    for transport in ("auto", "stream"):
        os.environ["UNDERSTUDY_OFX_TRANSPORT"] = transport
        with Host().load(files["Upscale"]) as effect:
            upscales(effect, address)
        with (
            Host().load(files["Motion"]) as effect,
            effect.create("General", PROJECT, values={"server": address}) as it,
        ):
            for show in range(4):
                it.params["show"] = show
                it.render(1003, {"Source": SOURCE})
        for context in ("General", "Retimer"):
            with Host().load(files["Retime"]) as effect:
                retimes(effect, context, address)
        with (
            Host().load(files["Relight"]) as effect,
            effect.create("General", PROJECT, values={"server": address}) as it,
        ):
            it.render(1001, {"Source": SOURCE, "Normal": noise(64, 96, 3), "Albedo": noise(60, 90, 4)})
            it.params["confidence"] = "In alpha"
            it.render(1001, {"Source": SOURCE})


def upscales(effect: Effect, address: str) -> None:
    """Depths, sizes, errors, an abort, and threads."""
    with effect.create("General", PROJECT, values={"server": address, "pack": "identity-upscale", "scale": 1.0}) as it:
        kinds: tuple[tuple[Any, Any, float], ...] = (
            ("float", np.float32, 1), ("half", np.float16, 1), ("short", np.uint16, 65535), ("byte", np.uint8, 255)
        )  # fmt: skip
        layouts: tuple[tuple[Any, int], ...] = (("RGBA", 4), ("RGB", 3), ("Alpha", 1))
        for depth, kind, white in kinds:
            for components, channels in layouts:
                picture = ((noise(31, 45, channels) * 0.01 + 0.5).clip(0, 1) * white).astype(kind)
                it.render(1001, {"Source": picture}, depth=depth, components=components)
        it.render(1001, {"Source": np.full((7, 5, 4), np.nan, np.float32)})
        it.params["packOptions"] = "x=1"
        refused(lambda: it.render(1001, {"Source": noise()}))
        it.params["packOptions"] = ""
        it.params["server"] = "127.0.0.1:1"
        refused(lambda: it.render(1001, {"Source": noise()}))
        it.params["server"] = address
        it.params["pack"] = "lanczos"
        for scale in (0.3, 1.7):
            it.params["scale"] = scale
            it.render(1001, {"Source": Footage(lambda _: noise(41, 33), origin=(-9, 12))})
        it.params["pack"] = SLOW
        it.params["scale"] = 1.0
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        try:
            it.render(1001, {"Source": noise(40, 20 * 768)}, abort=stop.is_set)
        except JobCancelledError:
            pass
        else:
            raise AssertionError("the abort was not heard")
        it.params["pack"] = "identity-upscale"
        threads = [threading.Thread(target=lambda: it.render(1001, {"Source": noise()})) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def retimes(effect: Effect, context: Any, address: str) -> None:
    """Times between frames, with and without confidence."""
    with effect.create(context, PROJECT, values={"server": address}) as it:
        for confidence in range(3):
            it.params["confidence"] = confidence
            for time in (1001.0, 1001.3, 1004.9, 1006.5):
                if context == "Retimer":
                    it.params["SourceTime"] = time
                else:
                    it.params["timing"] = "Source frame"
                    it.params["sourceFrame"] = time
                it.render(1001, {"Source": SOURCE})


def refused(work: Callable[[], object]) -> None:
    """What the service or the plug-in does not do must end as an error."""
    try:
        work()
    except UnderstudyError:
        return
    raise AssertionError("it was not refused")


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("all done")  # noqa: T201 - what the test looks for
