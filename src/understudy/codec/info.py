# SPDX-License-Identifier: Apache-2.0
"""What an engine says of itself, to the wire and back."""

import json

from understudy.codec.jobs import json_object, pin_from_pb, pin_to_pb
from understudy.contracts.engine import EngineInfo, PackFailure, PackInfo, PolicyInfo
from understudy.contracts.rights import COLORS, RECORD_STATES, Color, RecordState
from understudy.wire.understudy.v1 import understudy_pb2 as pb

# A word that this version does not know is one that was not said.
_COLORS: dict[str, Color] = {color: color for color in COLORS}
_RECORDS: dict[str, RecordState] = {state: state for state in RECORD_STATES}


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
                badge=pack.badge,
                badge_reasons=pack.badge_reasons,
                rights_record=pack.rights_record,
                refused=pack.refused,
                rights_json="" if pack.bom is None else json.dumps(pack.bom, ensure_ascii=False),
            )
            for pack in info.packs
        ],
        failures=[pb.PackFailure(path=f.path, problem=f.problem, fix=f.fix) for f in info.failures],
        policy=None if info.policy is None else _policy_to_pb(info.policy),
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
            badge=_COLORS.get(pack.badge, ""),
            badge_reasons=tuple(pack.badge_reasons),
            rights_record=_RECORDS.get(pack.rights_record, ""),
            refused=pack.refused,
            bom=json_object(pack.rights_json, "a rights record") if pack.rights_json else None,
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
        policy=_policy_from_pb(message),
    )


def _policy_from_pb(message: pb.InfoResponse) -> PolicyInfo | None:
    policy = message.policy
    if not message.HasField("policy"):
        return None
    types = {each.operation: each.type for each in policy.source_types}
    return PolicyInfo(show=policy.show, sha256=policy.sha256, source_types=types)


def _policy_to_pb(policy: PolicyInfo) -> pb.PolicyInfo:
    types = [pb.SourceType(operation=operation, type=value) for operation, value in policy.source_types.items()]
    return pb.PolicyInfo(show=policy.show, sha256=policy.sha256, source_types=types)
