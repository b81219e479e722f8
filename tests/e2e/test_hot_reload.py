# SPDX-License-Identifier: Apache-2.0
"""A real server process whose pack is replaced under load: no request fails, none mixes, none goes back."""

import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from contract.service.rig import wait_until
from e2e.test_serve import started
from understudy.client.engine import RemoteEngine
from understudy.contracts.errors import PinMismatchError
from understudy.contracts.jobs import PackPin, RoleRequest, UpscaleParams
from understudy.contracts.plate import blank_plate
from unit.roles.test_library import break_adapter, put

pytestmark = pytest.mark.e2e
MINE = PackPin(id="mine")


def factor(engine: RemoteEngine, pin: PackPin = MINE) -> tuple[float, PackPin]:
    """What the server multiplies by, and the pack it says it did it with."""
    pixels = np.full((48, 64, 3), 2, np.float32)
    plate = blank_plate(pixels, ("R", "G", "B"), colorspace="ACEScg")
    request = RoleRequest(pack=pin, params=UpscaleParams(scale=Fraction(1), tile=16), plates={"plate": plate})
    result = engine.run(request)
    values = np.unique(result.plates["plate"].pixels)
    assert values.size == 1
    return float(values[0]) / 2, result.pack


def test_a_pack_replaced_under_load(tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    packs.mkdir()
    put(packs / "mine", 1)
    config = tmp_path / "service.toml"
    config.write_text('schema = "understudy.service/1"\n\n[packs]\nreload_s = 0.1\n')
    seen: list[list[float]] = [[], []]
    digests: dict[float, set[str]] = {}
    done = threading.Event()
    errors: list[BaseException] = []
    with started("--config", str(config), "--port", "0", "--packs", str(packs)) as process:

        def keep_asking(results: list[float]) -> None:
            client = RemoteEngine(process.address, timeout_s=60)
            try:
                while not done.is_set():
                    value, pack = factor(client)
                    results.append(value)
                    digests.setdefault(value, set()).add(pack.sha256)
            except BaseException as error:
                errors.append(error)
            finally:
                client.close()

        clients = [threading.Thread(target=keep_asking, args=(results,)) for results in seen]
        for client in clients:
            client.start()

        def all_get(value: float) -> bool:
            return bool(errors) or all(value in results[-1:] for results in seen)

        try:
            wait_until(lambda: all_get(1), "the first pack never answered")
            put(packs / "mine", 3)
            wait_until(lambda: all_get(3), "the new pack was not taken")
            break_adapter(packs / "mine")
            asker = RemoteEngine(process.address, timeout_s=60)
            shown = "no weights"
            wait_until(lambda: any(shown in f.problem for f in asker.info().failures), "the failure is not shown")
            assert all_get(3)
            put(packs / "mine", 5)
            wait_until(lambda: all_get(5), "the mended pack was not taken")
            (old,) = digests[1.0]
            with pytest.raises(PinMismatchError):
                factor(asker, PackPin(id="mine", version="1.0.0", sha256=old))
            asker.close()
        finally:
            done.set()
            for client in clients:
                client.join(60)
        assert errors == []
        assert process.stop()[0] == 0
    for results in seen:
        assert results == sorted(results)
        assert set(results) == {1.0, 3.0, 5.0}
    assert all(len(found) == 1 for found in digests.values())
