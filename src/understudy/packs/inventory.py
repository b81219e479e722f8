# SPDX-License-Identifier: Apache-2.0
"""Every pack on this machine with its files compared with their hashes, as an engine would tell of them."""

from understudy import __version__
from understudy.contracts.engine import EngineInfo, PackFailure, PackInfo
from understudy.contracts.errors import PackError
from understudy.packs.discovery import discover
from understudy.packs.policy import ShowPolicy


def local_inventory(policy: ShowPolicy | None = None) -> EngineInfo:
    """The packs whose bytes are the declared ones, and a failure for each of the others.

    An engine compares hashes when it loads a pack; here all are compared, so that a list tells what would fail.

    Args:
        policy: The show policy by which the packs are judged.
    """
    found = discover()
    packs: list[PackInfo] = []
    failures = list(found.failures)
    for pack in found.registry:
        try:
            pack.verify()
        except PackError as error:
            failures.append(
                PackFailure(path=pack.folder.as_posix(), problem=f"{error.where}: {error.problem}", fix=error.fix or "")
            )
            continue
        packs.append(pack.info(policy))
    search_path = tuple((kind, str(folder)) for kind, folder in found.search_path)
    return EngineInfo(
        version=__version__,
        device="",
        search_path=search_path,
        packs=tuple(packs),
        failures=tuple(failures),
        policy=policy.info if policy else None,
    )
