# SPDX-License-Identifier: Apache-2.0
"""The service's configuration file, schema ``understudy.service/1``: what ``understudy serve --config`` reads.

A section is a dataclass of settings that stands beside the module it sets up, such as `Limits`. To add a field, add it
there, with its text under ``Attributes:``. To add a section, import the dataclass and name it in `ServiceConfig`.
"""

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from understudy.codec.address import DEFAULT_ADDRESS
from understudy.contracts.document_problems import joined, problems_of, table_fields
from understudy.contracts.errors import MissingFileError, UsageError
from understudy.contracts.paths import ConfigPath
from understudy.graph.paths import mark_in
from understudy.packs.toml_file import read_toml_file, shown
from understudy.roles.pack_settings import PackSettings
from understudy.service.access import AccessSettings
from understudy.service.credentials import TlsSettings
from understudy.service.limits import Limits, QueueSettings
from understudy.service.oip.settings import InferenceSettings
from understudy.service.roots import FilesSettings
from understudy.service.watching import Watch

SCHEMA = "understudy.service/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where clients find the service.

    Attributes:
        addresses: Each ``host:port``, ``[IPv6]:port`` or ``unix:path``; port 0 takes a free one.
        insecure_anywhere: Allow an address that other machines reach without TLS (anybody on the network can read what
            travels, tokens too) or with nothing that checks who calls.
        reflection: Let tools list the service's methods.
    """

    addresses: tuple[str, ...] = (DEFAULT_ADDRESS,)
    insecure_anywhere: bool = False
    reflection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What computes.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``openvino``; several with commas between them each get
            workers and models of their own.
        ocio: OCIO config for requests that name none: a name or a path; empty: ``$OCIO`` or the pinned one.
        pack_folders: Packs, or folders of packs, looked at before all others.
    """

    device: str = "auto"
    ocio: ConfigPath = ""
    pack_folders: tuple[Path, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices, each once."""
        names = [name.strip() for name in self.device.split(",")]
        return tuple(dict.fromkeys(name for name in names if name)) or ("auto",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is written to standard error.

    Attributes:
        verbose: Log more.
    """

    verbose: bool = False


class ServiceConfig(BaseModel):
    """The whole document; every section may be left out.

    Attributes:
        schema_: Always ``understudy.service/1`` (written ``schema``).
        listen: Where clients find the service.
        engine: What computes.
        packs: Which packs are taken, and how long their models stay in memory.
        limits: How much it takes on.
        queue: In which order jobs wait, and what is remembered of them.
        tls: TLS on its TCP addresses.
        access: Who may use it.
        inference: The Open Inference Protocol.
        files: Folders in which it reads and writes for its callers.
        log: What it tells of itself.
        watch: How it may be watched.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    schema_: Literal["understudy.service/1"] = Field(alias="schema")
    listen: Listen = Listen()
    engine: EngineSettings = EngineSettings()
    packs: PackSettings = PackSettings()
    limits: Limits = Limits()
    queue: QueueSettings = QueueSettings()
    tls: TlsSettings = TlsSettings()
    access: AccessSettings = AccessSettings()
    inference: InferenceSettings = InferenceSettings()
    files: FilesSettings = FilesSettings()
    log: Log = Log()
    watch: Watch = Watch()

    def replaced(self, options: Mapping[str, Mapping[str, Any]]) -> "ServiceConfig":
        """This configuration with other values, as the command line gives them.

        Args:
            options: Section to field to value; None leaves a field as it is.

        Raises:
            UsageError: A value is out of its bounds.
        """
        document: dict[str, Any] = {"schema": SCHEMA}
        for name in type(self).model_fields:
            section = getattr(self, name)
            if dataclasses.is_dataclass(section) and not isinstance(section, type):
                given = {key: value for key, value in options.get(name, {}).items() if value is not None}
                document[name] = {f.name: getattr(section, f.name) for f in dataclasses.fields(section)} | given
        return _validated(document, "command line")


def load_config(path: Path) -> ServiceConfig:
    """Reads and checks a configuration file; relative paths in it start at its folder.

    Raises:
        MissingFileError: There is none.
        UsageError: It is wrong; every problem is told with its field.
    """
    try:
        raw = read_toml_file(path, "configuration", UsageError)
    except FileNotFoundError:
        raise MissingFileError("there is no such configuration", where=shown(path)) from None
    config = _validated(raw, shown(path))
    folder = path.resolve().parent
    sections = {
        name: _anchored(section, folder)
        for name in ServiceConfig.model_fields
        if dataclasses.is_dataclass(section := getattr(config, name))
    }
    return config.model_copy(update=sections)


def default_config() -> ServiceConfig:
    """What a service without a file does."""
    return ServiceConfig.model_validate({"schema": SCHEMA})


def _validated(raw: Mapping[str, Any], where: str) -> ServiceConfig:
    try:
        return ServiceConfig.model_validate(raw)
    except ValidationError as error:
        problems = problems_of(error, raw, ServiceConfig, schema=SCHEMA, hints={})
        text, place, fix = joined(where, problems)
        raise UsageError(text, where=place, fix=fix) from None


def _anchored(section: Any, folder: Path) -> Any:
    """Paths of a section made absolute, with ``$NAME`` and ``~`` expanded."""
    annotations = table_fields(type(section))
    changes = {}
    for field in dataclasses.fields(section):
        value, mark = getattr(section, field.name), mark_in(annotations[field.name])
        if mark is not None and mark.fits(value):
            changes[field.name] = str(_anchored_value(Path(value), folder))
        else:
            changes[field.name] = _anchored_value(value, folder)
    return dataclasses.replace(section, **changes)


def _anchored_value(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return folder / os.path.expanduser(os.path.expandvars(value))  # noqa: PTH111 - Path.expanduser may raise
    if isinstance(value, str) and value.startswith("unix:"):
        path = value.removeprefix("unix://") if value.startswith("unix:///") else value.removeprefix("unix:")
        return f"unix:{_anchored_value(Path(path), folder)}" if path else value
    if isinstance(value, tuple):
        return tuple(_anchored_value(item, folder) for item in value)
    return value
