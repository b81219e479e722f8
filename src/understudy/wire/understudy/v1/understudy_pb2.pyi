# SPDX-License-Identifier: Apache-2.0
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SampleType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SAMPLE_TYPE_UNSPECIFIED: _ClassVar[SampleType]
    SAMPLE_TYPE_HALF: _ClassVar[SampleType]
    SAMPLE_TYPE_FLOAT: _ClassVar[SampleType]
    SAMPLE_TYPE_UINT: _ClassVar[SampleType]
    SAMPLE_TYPE_UINT8: _ClassVar[SampleType]
    SAMPLE_TYPE_UINT16: _ClassVar[SampleType]

class PixelEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIXEL_ENCODING_UNSPECIFIED: _ClassVar[PixelEncoding]
    PIXEL_ENCODING_FLOAT32_LE: _ClassVar[PixelEncoding]
SAMPLE_TYPE_UNSPECIFIED: SampleType
SAMPLE_TYPE_HALF: SampleType
SAMPLE_TYPE_FLOAT: SampleType
SAMPLE_TYPE_UINT: SampleType
SAMPLE_TYPE_UINT8: SampleType
SAMPLE_TYPE_UINT16: SampleType
PIXEL_ENCODING_UNSPECIFIED: PixelEncoding
PIXEL_ENCODING_FLOAT32_LE: PixelEncoding

class Channel(_message.Message):
    __slots__ = ("name", "sample_type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    sample_type: SampleType
    def __init__(self, name: _Optional[str] = ..., sample_type: _Optional[_Union[SampleType, str]] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("x", "y", "width", "height")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    width: int
    height: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Integers(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values: _Optional[_Iterable[int]] = ...) -> None: ...

class Floats(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class MetadataValue(_message.Message):
    __slots__ = ("text", "raw_text", "integer", "unsigned", "real", "integers", "reals")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RAW_TEXT_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    UNSIGNED_FIELD_NUMBER: _ClassVar[int]
    REAL_FIELD_NUMBER: _ClassVar[int]
    INTEGERS_FIELD_NUMBER: _ClassVar[int]
    REALS_FIELD_NUMBER: _ClassVar[int]
    text: str
    raw_text: bytes
    integer: int
    unsigned: int
    real: float
    integers: Integers
    reals: Floats
    def __init__(self, text: _Optional[str] = ..., raw_text: _Optional[bytes] = ..., integer: _Optional[int] = ..., unsigned: _Optional[int] = ..., real: _Optional[float] = ..., integers: _Optional[_Union[Integers, _Mapping]] = ..., reals: _Optional[_Union[Floats, _Mapping]] = ...) -> None: ...

class MetadataEntry(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: MetadataValue
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[MetadataValue, _Mapping]] = ...) -> None: ...

class Storage(_message.Message):
    __slots__ = ("container", "compression", "colorspace", "aces_container")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_FIELD_NUMBER: _ClassVar[int]
    COLORSPACE_FIELD_NUMBER: _ClassVar[int]
    ACES_CONTAINER_FIELD_NUMBER: _ClassVar[int]
    container: str
    compression: str
    colorspace: str
    aces_container: bool
    def __init__(self, container: _Optional[str] = ..., compression: _Optional[str] = ..., colorspace: _Optional[str] = ..., aces_container: bool = ...) -> None: ...

class Sanitized(_message.Message):
    __slots__ = ("nan", "inf")
    NAN_FIELD_NUMBER: _ClassVar[int]
    INF_FIELD_NUMBER: _ClassVar[int]
    nan: int
    inf: int
    def __init__(self, nan: _Optional[int] = ..., inf: _Optional[int] = ...) -> None: ...

class InlinePixels(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    def __init__(self, size: _Optional[int] = ...) -> None: ...

class Plate(_message.Message):
    __slots__ = ("name", "channels", "data_window", "display_window", "pixel_aspect", "frame", "colorspace", "premultiplied", "metadata", "storage", "sanitized", "encoding", "inline")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    DATA_WINDOW_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_WINDOW_FIELD_NUMBER: _ClassVar[int]
    PIXEL_ASPECT_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    COLORSPACE_FIELD_NUMBER: _ClassVar[int]
    PREMULTIPLIED_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    SANITIZED_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    INLINE_FIELD_NUMBER: _ClassVar[int]
    name: str
    channels: _containers.RepeatedCompositeFieldContainer[Channel]
    data_window: Window
    display_window: Window
    pixel_aspect: float
    frame: int
    colorspace: str
    premultiplied: bool
    metadata: _containers.RepeatedCompositeFieldContainer[MetadataEntry]
    storage: Storage
    sanitized: Sanitized
    encoding: PixelEncoding
    inline: InlinePixels
    def __init__(self, name: _Optional[str] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., data_window: _Optional[_Union[Window, _Mapping]] = ..., display_window: _Optional[_Union[Window, _Mapping]] = ..., pixel_aspect: _Optional[float] = ..., frame: _Optional[int] = ..., colorspace: _Optional[str] = ..., premultiplied: bool = ..., metadata: _Optional[_Iterable[_Union[MetadataEntry, _Mapping]]] = ..., storage: _Optional[_Union[Storage, _Mapping]] = ..., sanitized: _Optional[_Union[Sanitized, _Mapping]] = ..., encoding: _Optional[_Union[PixelEncoding, str]] = ..., inline: _Optional[_Union[InlinePixels, _Mapping]] = ...) -> None: ...

class PackPin(_message.Message):
    __slots__ = ("id", "version", "sha256")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: str
    sha256: str
    def __init__(self, id: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class RunHeader(_message.Message):
    __slots__ = ("request_id", "pack", "role", "params_json", "ocio_config", "plates")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    OCIO_CONFIG_FIELD_NUMBER: _ClassVar[int]
    PLATES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    pack: PackPin
    role: str
    params_json: str
    ocio_config: str
    plates: _containers.RepeatedCompositeFieldContainer[Plate]
    def __init__(self, request_id: _Optional[str] = ..., pack: _Optional[_Union[PackPin, _Mapping]] = ..., role: _Optional[str] = ..., params_json: _Optional[str] = ..., ocio_config: _Optional[str] = ..., plates: _Optional[_Iterable[_Union[Plate, _Mapping]]] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    def __init__(self, size: _Optional[int] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("header", "chunk", "end")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    header: RunHeader
    chunk: bytes
    end: End
    def __init__(self, header: _Optional[_Union[RunHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., end: _Optional[_Union[End, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("done", "total")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class ResultHeader(_message.Message):
    __slots__ = ("request_id", "pack", "confidence", "report_json", "plates")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    REPORT_JSON_FIELD_NUMBER: _ClassVar[int]
    PLATES_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    pack: PackPin
    confidence: float
    report_json: str
    plates: _containers.RepeatedCompositeFieldContainer[Plate]
    def __init__(self, request_id: _Optional[str] = ..., pack: _Optional[_Union[PackPin, _Mapping]] = ..., confidence: _Optional[float] = ..., report_json: _Optional[str] = ..., plates: _Optional[_Iterable[_Union[Plate, _Mapping]]] = ...) -> None: ...

class RunResponse(_message.Message):
    __slots__ = ("header", "chunk", "end", "progress")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    header: ResultHeader
    chunk: bytes
    end: End
    progress: Progress
    def __init__(self, header: _Optional[_Union[ResultHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., end: _Optional[_Union[End, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ...) -> None: ...

class InfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SearchFolder(_message.Message):
    __slots__ = ("kind", "folder")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    kind: str
    folder: str
    def __init__(self, kind: _Optional[str] = ..., folder: _Optional[str] = ...) -> None: ...

class PackInfo(_message.Message):
    __slots__ = ("pin", "role", "title", "description", "draft", "source", "manifest_json")
    PIN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_JSON_FIELD_NUMBER: _ClassVar[int]
    pin: PackPin
    role: str
    title: str
    description: str
    draft: str
    source: str
    manifest_json: str
    def __init__(self, pin: _Optional[_Union[PackPin, _Mapping]] = ..., role: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., draft: _Optional[str] = ..., source: _Optional[str] = ..., manifest_json: _Optional[str] = ...) -> None: ...

class PackFailure(_message.Message):
    __slots__ = ("path", "problem", "fix")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    FIX_FIELD_NUMBER: _ClassVar[int]
    path: str
    problem: str
    fix: str
    def __init__(self, path: _Optional[str] = ..., problem: _Optional[str] = ..., fix: _Optional[str] = ...) -> None: ...

class InfoResponse(_message.Message):
    __slots__ = ("version", "device", "providers", "ocio_config", "ocio_cache_id", "search_path", "packs", "failures")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    OCIO_CONFIG_FIELD_NUMBER: _ClassVar[int]
    OCIO_CACHE_ID_FIELD_NUMBER: _ClassVar[int]
    SEARCH_PATH_FIELD_NUMBER: _ClassVar[int]
    PACKS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    version: str
    device: str
    providers: _containers.RepeatedScalarFieldContainer[str]
    ocio_config: str
    ocio_cache_id: str
    search_path: _containers.RepeatedCompositeFieldContainer[SearchFolder]
    packs: _containers.RepeatedCompositeFieldContainer[PackInfo]
    failures: _containers.RepeatedCompositeFieldContainer[PackFailure]
    def __init__(self, version: _Optional[str] = ..., device: _Optional[str] = ..., providers: _Optional[_Iterable[str]] = ..., ocio_config: _Optional[str] = ..., ocio_cache_id: _Optional[str] = ..., search_path: _Optional[_Iterable[_Union[SearchFolder, _Mapping]]] = ..., packs: _Optional[_Iterable[_Union[PackInfo, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[PackFailure, _Mapping]]] = ...) -> None: ...
