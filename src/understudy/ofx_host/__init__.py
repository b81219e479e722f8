# SPDX-License-Identifier: Apache-2.0
"""An OpenFX image-effect host: runs anyone's OpenFX effect on numpy arrays, without a window (OpenFX 1.5, CPU only).

How to use it::

    from understudy.ofx_host import Footage, Host, Project, find_plugins

    plugins = find_plugins(["/usr/OFX/Plugins"])          # or None: OFX_PLUGIN_PATH and the standard folders
    with Host().load(plugins[0]) as effect:               # what a host can do are arguments of Host: see Capabilities
        print(effect.description.label, effect.description.contexts)
        with effect.create("General", Project(width=1920, height=1080, first=1, last=100)) as instance:
            instance.params["scale"] = 2.0                # the plug-in is told, as when a person edits
            instance.params["speed"] = lambda time: 0.5   # a callable animates
            instance.params["quality"] = "best"           # a choice takes the label or the index
            result = instance.render(12, inputs={"Source": lambda time: frames.get(time)})
            result.array                                  # (height, width, channels), top row first
            result.bounds, result.rod                     # in pixels, and canonical
            result.frames_requested["Source"]             # (11.0, 12.0, 13.0)
            result.leaked, result.complaints              # image handles kept; where it broke the specification
            instance.persistent_message                   # what stands on the node

Inputs are float32, float16, uint16 or uint8 arrays with 1, 3 or 4 channels, top row first; OpenFX's rows from the
bottom up are made inside. ``Footage`` says more of an input: frame range, origin, premultiplication, color space. A
failed render raises ``EffectError`` with what the plug-in said, an aborted one ``JobCancelledError``.

Limits, plainly: a plug-in that crashes takes this process with it. OpenFX has variadic functions, which ctypes can
serve only under the System V ABI of 64-bit x86; other machines are refused with a sentence. Interacts, OpenGL and GPU
rendering, fields and parametric curves are not here. Color spaces are told to the plug-in and asked of it,
never converted.
"""

from understudy.ofx_host.bundles import PluginFile
from understudy.ofx_host.capabilities import Capabilities
from understudy.ofx_host.clips import Footage
from understudy.ofx_host.effect import Description, Effect
from understudy.ofx_host.host import Host, find_plugins
from understudy.ofx_host.images import RowLayout
from understudy.ofx_host.instance import Instance
from understudy.ofx_host.message import Message
from understudy.ofx_host.parameters import Parameter, Parameters
from understudy.ofx_host.project import Project
from understudy.ofx_host.rendered import Rendered

__all__ = [
    "Capabilities",
    "Description",
    "Effect",
    "Footage",
    "Host",
    "Instance",
    "Message",
    "Parameter",
    "Parameters",
    "PluginFile",
    "Project",
    "Rendered",
    "RowLayout",
    "find_plugins",
]
