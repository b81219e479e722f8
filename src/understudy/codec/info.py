# SPDX-License-Identifier: Apache-2.0
"""What an engine says of itself, to the wire and back."""

import json

from understudy.codec.jobs import json_object, pin_from_pb, pin_to_pb
from understudy.contracts.engine import EngineInfo, PackFailure, PackInfo
from understudy.wire.understudy.v1 import understudy_pb2 as pb


def info_to_pb(info: EngineInfo) -> pb.InfoResponse:
    """An engine's description as a message."""
    return pb.InfoResponse(
        version=info.version,
        device=info.device,
        providers=info.providers,
        ocio_config=info.ocio_config,
        ocio_cache_id=info.ocio_cache_id,
        search_path=[pb.SearchFolder(kind=kind, folder=folder) for kind, folder in info.search_path],
        packs=[
            pb.PackInfo(
                pin=pin_to_pb(pack.pin),
                role=pack.role,
                title=pack.title,
                description=pack.description,
                draft=pack.draft,
                source=pack.source,
                manifest_json=json.dumps(pack.manifest),
            )
            for pack in info.packs
        ],
        failures=[pb.PackFailure(path=f.path, problem=f.problem, fix=f.fix) for f in info.failures],
    )


def info_from_pb(message: pb.InfoResponse) -> EngineInfo:
    """An engine's description from a message.

    Raises:
        UsageError: A manifest is no JSON object.
    """
    packs = tuple(
        PackInfo(
            pin=pin_from_pb(pack.pin),
            role=pack.role,
            title=pack.title,
            description=pack.description,
            draft=pack.draft,
            source=pack.source,
            manifest=json_object(pack.manifest_json, "a manifest"),
        )
        for pack in message.packs
    )
    return EngineInfo(
        version=message.version,
        device=message.device,
        providers=tuple(message.providers),
        ocio_config=message.ocio_config,
        ocio_cache_id=message.ocio_cache_id,
        search_path=tuple((folder.kind, folder.folder) for folder in message.search_path),
        packs=packs,
        failures=tuple(PackFailure(path=f.path, problem=f.problem, fix=f.fix) for f in message.failures),
    )
