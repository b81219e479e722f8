# SPDX-License-Identifier: Apache-2.0
"""A service process, moving pictures, and a pack that takes its time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from understudy.contracts.plate import FloatImage

FRAMES = (1001, 1005)
HEIGHT, WIDTH = 64, 96


def moving(time: float, *, channels: int = 4) -> FloatImage | None:
    """A smooth picture that moves three pixels right a frame; HDR, with negatives. None outside of the range."""
    if not FRAMES[0] <= time <= FRAMES[1]:
        return None
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    x -= 3 * (time - FRAMES[0])
    waves = [np.sin(0.21 * x + 0.13 * y + c) * np.cos(0.17 * y - 0.05 * x * (c + 1)) for c in range(3)]
    rgb = 4 * np.stack(waves, axis=2) + 1.5
    picture = np.concatenate([rgb, np.ones((HEIGHT, WIDTH, 1))], axis=2).astype(np.float32)
    return np.ascontiguousarray(picture[..., :channels])


def noise(height: int = HEIGHT, width: int = WIDTH, channels: int = 4, seed: int = 0) -> FloatImage:
    """Values of every size, negatives and over one, all finite."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((height, width, channels)) * 2.0 ** rng.integers(-12, 12)).astype(np.float32)


@dataclass
class Service:
    """A running service.

    Attributes:
        popen: Its process.
        address: Where it listens.
        log: Its log.
    """

    popen: "subprocess.Popen[bytes]"
    address: str
    log: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it has logged under a name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]

    def kill(self) -> None:
        """Ends it without a word."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(30)


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[Service]:
    """Starts a service on a socket in a folder."""
    log = folder / "service.log"
    address = f"unix:{folder}/service.sock"
    with log.open("wb") as to:
        popen = subprocess.Popen(
            [sys.executable, "-m", "understudy", "serve", "--json", "--listen", address, *arguments],
            stdout=subprocess.PIPE,
            stderr=to,
        )
    try:
        assert popen.stdout is not None
        assert popen.stdout.readline(), log.read_text()
        yield Service(popen, address, log)
    finally:
        popen.kill()
        popen.communicate()


def eventually(true: Callable[[], object], seconds: float = 30) -> bool:
    """Whether something becomes true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return bool(true())


SLOW = "slow-upscale"

_ADAPTER = '''# SPDX-License-Identifier: Apache-2.0
"""Returns its input, after a while."""

import time
from pathlib import Path

import numpy as np

CALLS = Path(PLACE)


class Slow:
    def run(self, tensors, call, /):
        with CALLS.open("a") as file:
            file.write("x")
        time.sleep(float(call.options["seconds"]))
        image, region = tensors["image"], call.region
        rows = np.arange(region.y, region.y + region.height) // call.scale.numerator - region.in_y
        columns = np.arange(region.x, region.x + region.width) // call.scale.numerator - region.in_x
        return {"image": image[np.ix_(rows, columns)]}

    def close(self):
        pass


def load(folder):
    return Slow()
'''


def slow_pack(packs: Path) -> Path:
    """Makes a pack that sleeps at each tile.

    Returns:
        A file with one byte for each tile that it began.
    """
    folder = packs / SLOW
    folder.mkdir(parents=True)
    shipped = Path(__file__).resolve().parents[2] / "models" / "identity-upscale"
    adapter = _ADAPTER.replace("PLACE", repr(str(packs / "calls")))
    (folder / "adapter.py").write_text(adapter)
    manifest = (shipped / "pack.toml").read_text()
    before = sha256((shipped / "adapter.py").read_bytes()).hexdigest()
    manifest = manifest.replace(before, sha256(adapter.encode()).hexdigest()).replace("identity-upscale", SLOW)
    option = '[options.seconds]\ntype = "float"\ndefault = 0.2\nminimum = 0.0\nhelp = "Of sleep for each tile."\n\n'
    (folder / "pack.toml").write_text(manifest.replace("[license]", option + "[license]", 1))
    return packs / "calls"


def environment_with(**variables: str) -> dict[str, str]:
    """This process's environment with some more."""
    return {**os.environ, **variables}
