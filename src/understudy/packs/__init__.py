# SPDX-License-Identifier: Apache-2.0
"""Discovers, checks, pins and opens model packs. Running them is the business of ``understudy.runtimes``."""

from understudy.packs.discovery import Discovery, discover, search_path, user_pack_folders
from understudy.packs.hashes import write_hashes
from understudy.packs.install import install_pack
from understudy.packs.manifest import MANIFEST_NAME, read_manifest
from understudy.packs.options import settle_options
from understudy.packs.pack import Pack, open_pack
from understudy.packs.pins import parse_pin
from understudy.packs.registry import Registry

__all__ = [
    "MANIFEST_NAME",
    "Discovery",
    "Pack",
    "Registry",
    "discover",
    "install_pack",
    "open_pack",
    "parse_pin",
    "read_manifest",
    "search_path",
    "settle_options",
    "user_pack_folders",
    "write_hashes",
]
