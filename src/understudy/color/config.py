# SPDX-License-Identifier: Apache-2.0
"""The OCIO config: which one, its color spaces by name, alias or role, and conversions between them."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Literal, cast

import PyOpenColorIO as ocio  # noqa: N813

from understudy.color.apply import CpuProcessor, apply_rgb, check_rgb
from understudy.color.policy import policy
from understudy.contracts.errors import ColorspaceError
from understudy.contracts.plate import FloatImage

Source = Literal["argument", "$OCIO", "pinned"]

LIST_THEM = "list them with: understudy doctor --colorspaces"


class ColorConfig:
    """An OCIO config with its processors; safe to share between threads.

    Use :meth:`load`; the constructor takes an OCIO config that is loaded already.

    Attributes:
        name: The name or path it was loaded from; ``load(name)`` gives the same config.
        source: Who named it.
        cache_id: What OCIO says of its content; equal for equal configs on every machine.
        scene_linear: Canonical name of the color space in the role ``scene_linear``.
    """

    def __init__(self, config: ocio.Config, name: str, source: Source) -> None:
        self.name = name
        self.source: Source = source
        self.cache_id: str = config.getCacheID()
        self._config = config
        self._processors: dict[tuple[str, ...], CpuProcessor | None] = {}
        self._known: dict[str, str] = {}
        self._lock = Lock()
        scene_linear = config.getCanonicalName("scene_linear")
        if not scene_linear:
            raise ColorspaceError(
                "this OCIO config has no role scene_linear", where=self.label, fix="add the role, or use another config"
            )
        self.scene_linear: str = scene_linear

    @classmethod
    def load(cls, name: str = "") -> "ColorConfig":
        """The config of that name, else of ``$OCIO``, else the pinned one; loaded once.

        Args:
            name: An ``ocio://`` name, or the path of an ``.ocio`` or ``.ocioz`` file; empty for the default.

        Raises:
            ColorspaceError: There is no such config or it can't be used; names the file or the variable.
        """
        source: Source = "argument" if name else "$OCIO"
        name = name or os.environ.get("OCIO", "")
        if not name:
            name, source = policy().pinned.config, "pinned"
        if name.startswith("ocio://"):
            return _load(name, source, 0)
        try:
            path = Path(name).expanduser().absolute()
            status = path.stat()
        except (OSError, RuntimeError, ValueError):
            raise ColorspaceError(
                f"there is no OCIO config {name!r}",
                where=None if source == "argument" else source,
                fix="name an .ocio file or a built-in config such as " + policy().pinned.config,
            ) from None
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for whoever writes to it, maybe for ever
            raise ColorspaceError("it is no file", where=str(path), fix="name an .ocio or .ocioz file")
        return _load(str(path), source, status.st_mtime_ns)

    @property
    def label(self) -> str:
        """How messages name the config."""
        return f"$OCIO ({self.name})" if self.source == "$OCIO" else self.name

    @property
    def built_in(self) -> bool:
        """Whether it came with OpenColorIO, and so holds nobody's own rules."""
        return self.name.startswith("ocio://")

    def packed(self) -> tuple[str, bytes]:
        """The config as one file that can be loaded elsewhere: the extension of its name, and its bytes.

        An ``.ocioz`` archive with the tables that it names. A config that names tables by absolute paths can't be
        archived; of such a one the file alone is given, and elsewhere it finds them where they are here, or not at all.

        Raises:
            ColorspaceError: A table can't be read.
        """
        path = Path(self.name)
        try:
            if self.built_in or path.suffix.lower() == ".ocioz" or not self._config.isArchivable():
                content = self._config.serialize().encode() if self.built_in else path.read_bytes()
                return ".ocio" if self.built_in else path.suffix.lower(), content
            with tempfile.TemporaryDirectory(prefix="understudy-") as folder:
                file = Path(folder) / "config.ocioz"
                self._config.archive(str(file))
                return file.suffix, file.read_bytes()
        except (ocio.Exception, OSError) as error:
            raise ColorspaceError(f"this OCIO config can't be packed: {_one_line(error)}", where=self.label) from None

    def names(self) -> tuple[str, ...]:
        """Canonical names of the active color spaces, in the config's order."""
        return tuple(self._config.getColorSpaceNames())

    def aliases(self, colorspace: str) -> tuple[str, ...]:
        """Other names of a color space.

        Raises:
            ColorspaceError: There is no such color space.
        """
        return tuple(self._space(colorspace).getAliases())

    def roles(self) -> dict[str, str]:
        """Role names to canonical color space names."""
        return dict(self._config.getRoles())

    def resolve(self, name: str) -> str:
        """Canonical name of a color space, from its name, an alias or a role; case does not matter.

        Raises:
            ColorspaceError: There is none; suggests the closest names.
        """
        found: str = self._config.getCanonicalName(name) if name else ""
        if found and self._config.getColorSpace(found) is not None:
            return found
        raise ColorspaceError(
            f"no color space {name!r} in the config", where=self.label, fix=self._suggest(name, self._all_names())
        )

    def find(self, identifier: str) -> str:
        """Canonical name of the color space that a **file** means by an interop id or a name; empty if there is none.

        Roles are not looked at: a file can't know what the studio works in. A well-known id that the config does not
        name is sought by what its color spaces do (OCIO compares them with the pinned config's).

        Args:
            identifier: ``lin_ap0_scene``, ``srgb_rec709_scene``, ``data``, or a name or alias.
        """
        if not identifier:
            return ""
        with self._lock:
            if identifier not in self._known:
                self._known[identifier] = self._find(identifier)
            return self._known[identifier]

    def _find(self, identifier: str) -> str:
        wanted = identifier.lower()
        if wanted == "data":
            return str(self._config.getCanonicalName("data"))
        if wanted not in {role.lower() for role in self.roles()}:
            found = str(self._config.getCanonicalName(identifier))
            if found and self._config.getColorSpace(found) is not None:
                return found
        for space in self._config.getColorSpaces(ocio.SEARCH_REFERENCE_SPACE_ALL, ocio.COLORSPACE_ALL):
            if hasattr(space, "getInteropID") and space.getInteropID().lower() == wanted:
                return str(space.getName())
        pinned = _load(policy().pinned.config, "pinned", 0)._config  # noqa: SLF001
        if pinned.getColorSpace(identifier) is None or wanted in {role.lower() for role, _ in pinned.getRoles()}:
            return ""
        try:
            return str(ocio.Config.IdentifyBuiltinColorSpace(self._config, pinned, pinned.getCanonicalName(identifier)))
        except ocio.Exception:
            return ""

    def file_rule(self, path: str) -> tuple[str, str]:
        """What the config's file rules say of a path, except the catch-all ones.

        Returns:
            Canonical color space name and the rule's name; both empty where only the ``Default`` rule fits.
        """
        found, index = self._config.getColorSpaceFromFilepath(path)
        rule = self._config.getFileRules().getName(index)
        if self._config.filepathOnlyMatchesDefaultRule(path) or not found:
            return "", ""
        return str(self._config.getCanonicalName(found)), str(rule)

    def is_scene_linear(self, colorspace: str) -> bool:
        """Whether a color space holds linear scene light.

        Raises:
            ColorspaceError: There is no such color space.
        """
        name = self.resolve(colorspace)
        return bool(self._config.isColorSpaceLinear(name, ocio.REFERENCE_SPACE_SCENE))

    def is_data(self, colorspace: str) -> bool:
        """Whether a color space is marked as data, which no conversion touches.

        Raises:
            ColorspaceError: There is no such color space.
        """
        return bool(self._space(colorspace).isData())

    def encoding(self, colorspace: str) -> str:
        """OCIO's word for a color space (``scene-linear``, ``log``, ``sdr-video``, ``data``); empty if not stated.

        Raises:
            ColorspaceError: There is no such color space.
        """
        return str(self._space(colorspace).getEncoding())

    def convert(self, pixels: FloatImage, source: str, target: str) -> FloatImage:
        """Converts pixels between two color spaces, losslessly, with no clamp.

        Args:
            pixels: float32 ``(height, width, 3)``, all finite, in ``source``.
            source: Color space by name, alias or role.
            target: The same.

        Returns:
            A new array in ``target``, all finite; ``pixels`` itself where nothing is to be done.

        Raises:
            ColorspaceError: A space is unknown, data meets color, or OCIO knows no way between them.
            PlateError: ``pixels`` has another shape or type.
        """
        check_rgb(pixels)
        processor = self.processor(source, target)
        return pixels if processor is None else apply_rgb(processor, pixels)

    def processor(self, source: str, target: str) -> CpuProcessor | None:
        """The processor between two color spaces of this config; None where nothing is to be done.

        Raises:
            ColorspaceError: As :meth:`convert`.
        """
        a, b = self.resolve(source), self.resolve(target)
        if a == b:
            return None
        if self.is_data(a) != self.is_data(b):
            data, other = (a, b) if self.is_data(a) else (b, a)
            raise ColorspaceError(
                f"{data} is data and can't be converted to or from {other}",
                where=self.label,
                fix="declare the color space that the pixels are in, or keep both sides data",
            )
        return self._cached(("convert", a, b), lambda: self._config.getProcessor(a, b), f"from {a} to {b}")

    def to_known(self, source: str, identifier: str) -> CpuProcessor | None:
        """The processor from a color space to a well-known one, through the interchange roles if the config lacks it.

        Args:
            source: A color space of this config.
            identifier: An interop id that the pinned config has, such as ``lin_rec709_scene``.

        Raises:
            ColorspaceError: The config has neither the space nor an interchange role.
        """
        return self._known_processor(source, identifier, inverse=False)

    def from_known(self, identifier: str, target: str) -> CpuProcessor | None:
        """The inverse of :meth:`to_known`.

        Raises:
            ColorspaceError: As :meth:`to_known`.
        """
        return self._known_processor(target, identifier, inverse=True)

    def _known_processor(self, space: str, identifier: str, *, inverse: bool) -> CpuProcessor | None:
        found = self.find(identifier)
        if found:
            return self.processor(found, space) if inverse else self.processor(space, found)
        name = self.resolve(space)
        pinned = _load(policy().pinned.config, "pinned", 0)._config  # noqa: SLF001
        known = pinned.getCanonicalName(identifier)
        ends = (pinned, known, self._config, name) if inverse else (self._config, name, pinned, known)
        return self._cached(
            ("known", name, known, str(inverse)),
            lambda: ocio.Config.GetProcessorFromConfigs(*ends),
            f"between {name} and {known} (neither the space nor the role aces_interchange is in the config)",
        )

    def curve(self, style: str, *, inverse: bool = False) -> CpuProcessor:
        """A built-in curve of OCIO, the same for every channel.

        Args:
            style: Name of the built-in transform, such as ``CURVE - ACEScct-LOG_to_LINEAR``.
            inverse: Turn it around.
        """
        direction = ocio.TRANSFORM_DIR_INVERSE if inverse else ocio.TRANSFORM_DIR_FORWARD
        found = self._cached(
            ("curve", style, str(inverse)),
            lambda: self._config.getProcessor(ocio.BuiltinTransform(style, direction)),
            f"by the built-in curve {style}",
        )
        assert found is not None
        return found

    def displays(self) -> dict[str, tuple[str, ...]]:
        """Displays to their views, the default display first."""
        displays = sorted(self._config.getDisplays(), key=lambda name: name != self._config.getDefaultDisplay())
        return {display: tuple(self._config.getViews(display)) for display in displays}

    def to_display(self, pixels: FloatImage, source: str, *, view: str = "", display: str = "") -> FloatImage:
        """A picture for a screen, for reports; slow (the ACES 2.0 view costs seconds at 4K), so give it a proxy.

        Args:
            pixels: float32 ``(height, width, 3)``, all finite, in ``source``.
            source: Color space by name, alias or role. Data passes unchanged.
            view: A view of the display; empty for its default one.
            display: A display of the config; empty for its default one.

        Returns:
            A new array of display code values, 0 to 1 for what the screen can show; not clipped here.

        Raises:
            ColorspaceError: Unknown space, display or view.
            PlateError: ``pixels`` has another shape or type.
        """
        name = self.resolve(source)
        display, view = self.display_view(name, display, view)
        processor = self._cached(
            ("display", name, display, view),
            lambda: self._config.getProcessor(ocio.DisplayViewTransform(name, display, view)),
            f"from {name} to the view {view!r} of {display!r}",
        )
        check_rgb(pixels)
        return pixels.copy() if processor is None else apply_rgb(processor, pixels)

    def display_view(self, source: str, display: str = "", view: str = "") -> tuple[str, str]:
        """The names of the display and the view that a picture goes through.

        Args:
            source: Canonical name of its color space, which may have a default view of its own.
            display: A display of the config; empty for its default one.
            view: A view of it; empty for its default one.

        Raises:
            ColorspaceError: There is no such display or view.
        """
        displays = self.displays()
        if not displays:
            raise ColorspaceError("this OCIO config has no display", where=self.label, fix="use another config")
        display = self._pick("display", display, tuple(displays)) if display else next(iter(displays))
        if view:
            return display, self._pick(f"view of {display!r}", view, displays[display])
        default = self._config.getDefaultView(display, source) or self._config.getDefaultView(display)
        return display, self._pick(f"view of {display!r}", default, displays[display])

    def _pick(self, what: str, name: str, known: tuple[str, ...]) -> str:
        for other in known:
            if other.lower() == name.lower():
                return other
        raise ColorspaceError(
            f"no {what} named {name!r} in the config", where=self.label, fix=f"there are: {', '.join(known)}"
        )

    def _space(self, colorspace: str) -> ocio.ColorSpace:
        return self._config.getColorSpace(self.resolve(colorspace))

    def _cached(self, key: tuple[str, ...], make: Callable[[], ocio.Processor], what: str) -> CpuProcessor | None:
        with self._lock:
            if key not in self._processors:
                try:
                    processor = make()
                    lossless = processor.getOptimizedCPUProcessor(
                        ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS
                    )
                except ocio.Exception as error:
                    raise ColorspaceError(
                        f"OCIO finds no conversion {what}: {_one_line(error)}",
                        where=self.label,
                        fix="correct the config, or declare another color space",
                    ) from None
                self._processors[key] = None if lossless.isNoOp() else cast("CpuProcessor", lossless)
            return self._processors[key]

    def _all_names(self) -> Iterable[str]:
        for space in self._config.getColorSpaces(ocio.SEARCH_REFERENCE_SPACE_ALL, ocio.COLORSPACE_ALL):
            yield space.getName()
            yield from space.getAliases()
        yield from self.roles()

    @staticmethod
    def _suggest(name: str, known: Iterable[str]) -> str:
        by_lower = {other.lower(): other for other in known}
        close = [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)]
        return (f"did you mean {' or '.join(close)}? " if close else "") + LIST_THEM


@lru_cache(maxsize=16)
def _load(name: str, source: Source, _stamp: int) -> ColorConfig:
    try:
        config = ocio.Config.CreateFromFile(name)
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        raise ColorspaceError(
            f"this OCIO config can't be loaded: {_one_line(error)}",
            where=f"$OCIO ({name})" if source == "$OCIO" else name,
            fix="name an .ocio file or a built-in config such as " + policy().pinned.config,
        ) from None
    return ColorConfig(config, name, source)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
