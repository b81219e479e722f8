# SPDX-License-Identifier: Apache-2.0
"""What a host says of itself, and what it then really does."""

from dataclasses import dataclass, field

from understudy.contracts.cores import available_cores
from understudy.contracts.errors import UsageError
from understudy.ofx_host.images import RowLayout
from understudy.ofx_host.names import (
    COLOR_STYLES,
    COMPONENTS,
    CONTEXTS,
    DEPTHS,
    NATIVE_CONFIG,
    ColorStyle,
    Components,
    Context,
    Depth,
    ofx_name,
)
from understudy.ofx_host.object_properties import HOST
from understudy.ofx_host.properties import PropertySet

_SINCE_1_5 = ("Colour", "CPURender")


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a host can do. The defaults are all that is here; less makes a plain host, to test plug-ins against.

    Attributes:
        name: Reverse domain name; plug-ins look at it.
        label: For people.
        version: Of the host.
        api_version: The newest OpenFX that it speaks. Below 1.5 there is no color management, not even as a property.
        depths: Depths of samples.
        components: What pixels hold.
        contexts: How effects may be used.
        multi_resolution: Images may have any size and origin; otherwise all are cut to the project.
        tiles: Parts of an image may be rendered.
        temporal_access: Frames other than that of the render may be fetched.
        multiple_depths: Clips may differ in depth, and the plug-in may choose.
        multiple_pixel_aspects: Clips may differ in pixel aspect.
        color_management: The strongest style on offer. The host converts nothing: it says what the pictures are.
        ocio_config: Path or ``ocio://`` URI that names of color spaces refer to, for the style OCIO.
        background: No person is there.
        threads: Threads that a plug-in may start through the host.
        rows: How images lie in memory.
        without_suites: Suites that are missing, as pairs of name and version.
    """

    name: str = "org.understudy.ofx-host"
    label: str = "Understudy OpenFX host"
    version: tuple[int, ...] = (1, 0)
    api_version: tuple[int, ...] = (1, 5)
    depths: tuple[Depth, ...] = ("float", "half", "short", "byte")
    components: tuple[Components, ...] = ("RGBA", "RGB", "Alpha")
    contexts: tuple[Context, ...] = ("General", "Filter", "Generator", "Transition", "Retimer", "Paint")
    multi_resolution: bool = True
    tiles: bool = True
    temporal_access: bool = True
    multiple_depths: bool = True
    multiple_pixel_aspects: bool = True
    color_management: ColorStyle = "None"
    ocio_config: str = ""
    background: bool = True
    threads: int = 0
    rows: RowLayout = field(default_factory=RowLayout)
    without_suites: frozenset[tuple[str, int]] = frozenset()

    @property
    def speaks_color(self) -> bool:
        """Whether properties of color management are there."""
        return self.api_version >= (1, 5)

    @property
    def thread_count(self) -> int:
        """Threads on offer: as said, or the cores of this process."""
        return self.threads or available_cores()


def host_properties(host: Capabilities) -> PropertySet:
    """The host's property set.

    Raises:
        UsageError: A capability does not exist, or two do not go together.
    """
    if host.color_management == "OCIO" and not host.ocio_config:
        raise UsageError("a host with the color management style OCIO needs ocio_config", fix="name a config")
    if host.color_management != "None" and not host.speaks_color:
        raise UsageError("color management came with OpenFX 1.5", fix="raise api_version or leave color_management")
    since = () if host.speaks_color else _SINCE_1_5
    rules = {name: rule for name, rule in HOST.items() if not any(word in name for word in since)}
    properties = PropertySet("host", rules)
    properties.put("OfxPropAPIVersion", *host.api_version)
    properties.put("OfxPropName", host.name)
    properties.put("OfxPropLabel", host.label)
    properties.put("OfxPropVersion", *host.version)
    properties.put("OfxPropVersionLabel", ".".join(map(str, host.version)))
    lists = {
        "OfxImageEffectPropSupportedComponents": [ofx_name(COMPONENTS, one, "components") for one in host.components],
        "OfxImageEffectPropSupportedContexts": [ofx_name(CONTEXTS, one, "context") for one in host.contexts],
        "OfxImageEffectPropSupportedPixelDepths": [ofx_name(DEPTHS, one, "depth") for one in host.depths],
    }
    for name, texts in lists.items():
        properties.put(name, *texts)
    flags = {
        "OfxImageEffectHostPropIsBackground": host.background,
        "OfxImageEffectPropSupportsMultiResolution": host.multi_resolution,
        "OfxImageEffectPropSupportsTiles": host.tiles,
        "OfxImageEffectPropTemporalClipAccess": host.temporal_access,
        "OfxImageEffectPropMultipleClipDepths": host.multiple_depths,
        "OfxImageEffectPropSupportsMultipleClipPARs": host.multiple_pixel_aspects,
    }
    for name, flag in flags.items():
        properties.put(name, int(flag))
    if host.speaks_color:
        properties.put(
            "OfxImageEffectPropColourManagementStyle", ofx_name(COLOR_STYLES, host.color_management, "style")
        )
        if host.color_management != "None":
            properties.put("OfxImageEffectPropColourManagementAvailableConfigs", NATIVE_CONFIG)
    return properties
