# SPDX-License-Identifier: Apache-2.0
"""What happens when Nuke starts."""

from __future__ import annotations

import os
from pathlib import Path

import nuke

from understudy_nuke import buttons, groups, packs

_BUNDLE = "Understudy.ofx.bundle"
_STANDARD_FOLDERS = ("/usr/OFX/Plugins", "/Library/OFX/Plugins", "C:/Program Files/Common Files/OFX/Plugins")
_LIVE = ("Motion", "Retime", "Upscale", "Relight")


def always() -> None:
    """In the terminal too: lists of packs are filled as nodes come."""
    nuke.addOnCreate(packs.update_this, nodeClass="Group")


def interface() -> None:
    """The menu and the panel; the packs are asked for in the background."""
    menu = nuke.menu("Nodes").addMenu("Understudy")
    for role, title in groups.TITLES.items():
        menu.addCommand(title, lambda role=role: groups.create(role))
    if find_bundle() is not None:
        for title in _LIVE:
            menu.addCommand(f"Live/{title}", lambda title=title: create_live(title))
    from understudy_nuke import panel

    menu.addCommand("Panel", panel.show)
    nuke.menu("Pane").addCommand("Understudy", panel.show)
    import nukescripts

    nukescripts.registerPanel(panel.ID, panel.show)
    packs.refresh_later()


def find_bundle() -> Path | None:
    """The OpenFX plug-in, where hosts look for it."""
    folders = [*os.environ.get("OFX_PLUGIN_PATH", "").split(os.pathsep), *_STANDARD_FOLDERS]
    found = [Path(folder, _BUNDLE) for folder in folders if folder and Path(folder, _BUNDLE).is_dir()]
    return found[0] if found else None


def create_live(title: str) -> None:
    """Makes the OpenFX node. Nuke's name for it has the plug-in's version, which this need not know."""
    for version in ("", *(f"_v{number}" for number in (1, 100, 2, 200))):
        for name in (f"OFXorg.understudy.{title.lower()}{version}", f"OFXorg.understudy.{title}{version}"):
            try:
                nuke.createNode(name)
            except RuntimeError:  # Nuke knows no such node
                continue
            return
    buttons.tell(f"Nuke has not loaded {_BUNDLE}; start it in a terminal to see why")
