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
    PIXEL_ENCODING_FLOAT32_OR_HALF_LE: _ClassVar[PixelEncoding]

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_INTERACTIVE: _ClassVar[Priority]
    PRIORITY_NORMAL: _ClassVar[Priority]
    PRIORITY_BATCH: _ClassVar[Priority]
SAMPLE_TYPE_UNSPECIFIED: SampleType
SAMPLE_TYPE_HALF: SampleType
SAMPLE_TYPE_FLOAT: SampleType
SAMPLE_TYPE_UINT: SampleType
SAMPLE_TYPE_UINT8: SampleType
SAMPLE_TYPE_UINT16: SampleType
PIXEL_ENCODING_UNSPECIFIED: PixelEncoding
PIXEL_ENCODING_FLOAT32_LE: PixelEncoding
PIXEL_ENCODING_FLOAT32_OR_HALF_LE: PixelEncoding
PRIORITY_UNSPECIFIED: Priority
PRIORITY_INTERACTIVE: Priority
PRIORITY_NORMAL: Priority
PRIORITY_BATCH: Priority

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
    __slots__ = ("size", "blake3")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLAKE3_FIELD_NUMBER: _ClassVar[int]
    size: int
    blake3: bytes
    def __init__(self, size: _Optional[int] = ..., blake3: _Optional[bytes] = ...) -> None: ...

class SharedPixels(_message.Message):
    __slots__ = ("region", "offset", "size")
    REGION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    region: str
    offset: int
    size: int
    def __init__(self, region: _Optional[str] = ..., offset: _Optional[int] = ..., size: _Optional[int] = ...) -> None: ...

class HashedPixels(_message.Message):
    __slots__ = ("size", "blake3")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLAKE3_FIELD_NUMBER: _ClassVar[int]
    size: int
    blake3: bytes
    def __init__(self, size: _Optional[int] = ..., blake3: _Optional[bytes] = ...) -> None: ...

class Plate(_message.Message):
    __slots__ = ("name", "channels", "data_window", "display_window", "pixel_aspect", "frame", "colorspace", "premultiplied", "metadata", "storage", "sanitized", "encoding", "inline", "shared", "hashed")
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
    SHARED_FIELD_NUMBER: _ClassVar[int]
    HASHED_FIELD_NUMBER: _ClassVar[int]
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
    shared: SharedPixels
    hashed: HashedPixels
    def __init__(self, name: _Optional[str] = ..., channels: _Optional[_Iterable[_Union[Channel, _Mapping]]] = ..., data_window: _Optional[_Union[Window, _Mapping]] = ..., display_window: _Optional[_Union[Window, _Mapping]] = ..., pixel_aspect: _Optional[float] = ..., frame: _Optional[int] = ..., colorspace: _Optional[str] = ..., premultiplied: bool = ..., metadata: _Optional[_Iterable[_Union[MetadataEntry, _Mapping]]] = ..., storage: _Optional[_Union[Storage, _Mapping]] = ..., sanitized: _Optional[_Union[Sanitized, _Mapping]] = ..., encoding: _Optional[_Union[PixelEncoding, str]] = ..., inline: _Optional[_Union[InlinePixels, _Mapping]] = ..., shared: _Optional[_Union[SharedPixels, _Mapping]] = ..., hashed: _Optional[_Union[HashedPixels, _Mapping]] = ...) -> None: ...

class PackPin(_message.Message):
    __slots__ = ("id", "version", "sha256")
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    id: str
    version: str
    sha256: str
    def __init__(self, id: _Optional[str] = ..., version: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class Placement(_message.Message):
    __slots__ = ("region", "offset", "capacity")
    REGION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    region: str
    offset: int
    capacity: int
    def __init__(self, region: _Optional[str] = ..., offset: _Optional[int] = ..., capacity: _Optional[int] = ...) -> None: ...

class RunHeader(_message.Message):
    __slots__ = ("request_id", "pack", "role", "params_json", "ocio_config", "plates", "encodings", "priority", "user", "result")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PARAMS_JSON_FIELD_NUMBER: _ClassVar[int]
    OCIO_CONFIG_FIELD_NUMBER: _ClassVar[int]
    PLATES_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    pack: PackPin
    role: str
    params_json: str
    ocio_config: str
    plates: _containers.RepeatedCompositeFieldContainer[Plate]
    encodings: _containers.RepeatedScalarFieldContainer[PixelEncoding]
    priority: Priority
    user: str
    result: Placement
    def __init__(self, request_id: _Optional[str] = ..., pack: _Optional[_Union[PackPin, _Mapping]] = ..., role: _Optional[str] = ..., params_json: _Optional[str] = ..., ocio_config: _Optional[str] = ..., plates: _Optional[_Iterable[_Union[Plate, _Mapping]]] = ..., encodings: _Optional[_Iterable[_Union[PixelEncoding, str]]] = ..., priority: _Optional[_Union[Priority, str]] = ..., user: _Optional[str] = ..., result: _Optional[_Union[Placement, _Mapping]] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("size", "blake3")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLAKE3_FIELD_NUMBER: _ClassVar[int]
    size: int
    blake3: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, size: _Optional[int] = ..., blake3: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Wanted(_message.Message):
    __slots__ = ("plates",)
    PLATES_FIELD_NUMBER: _ClassVar[int]
    plates: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, plates: _Optional[_Iterable[int]] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("header", "chunk", "end", "half_chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    HALF_CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: RunHeader
    chunk: bytes
    end: End
    half_chunk: bytes
    def __init__(self, header: _Optional[_Union[RunHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., end: _Optional[_Union[End, _Mapping]] = ..., half_chunk: _Optional[bytes] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("done", "total")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("receive", "queue", "run")
    RECEIVE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    receive: float
    queue: float
    run: float
    def __init__(self, receive: _Optional[float] = ..., queue: _Optional[float] = ..., run: _Optional[float] = ...) -> None: ...

class ResultHeader(_message.Message):
    __slots__ = ("request_id", "pack", "confidence", "report_json", "plates", "timings")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    REPORT_JSON_FIELD_NUMBER: _ClassVar[int]
    PLATES_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    pack: PackPin
    confidence: float
    report_json: str
    plates: _containers.RepeatedCompositeFieldContainer[Plate]
    timings: Timings
    def __init__(self, request_id: _Optional[str] = ..., pack: _Optional[_Union[PackPin, _Mapping]] = ..., confidence: _Optional[float] = ..., report_json: _Optional[str] = ..., plates: _Optional[_Iterable[_Union[Plate, _Mapping]]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class RunResponse(_message.Message):
    __slots__ = ("header", "chunk", "end", "progress", "wanted", "half_chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    HALF_CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: ResultHeader
    chunk: bytes
    end: End
    progress: Progress
    wanted: Wanted
    half_chunk: bytes
    def __init__(self, header: _Optional[_Union[ResultHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., end: _Optional[_Union[End, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., wanted: _Optional[_Union[Wanted, _Mapping]] = ..., half_chunk: _Optional[bytes] = ...) -> None: ...

class EstimateRequest(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: RunHeader
    def __init__(self, run: _Optional[_Union[RunHeader, _Mapping]] = ...) -> None: ...

class EstimateResponse(_message.Message):
    __slots__ = ("pack", "device", "seconds", "seconds_low", "seconds_high", "queue_seconds", "ram_bytes", "vram_bytes", "measured_runs")
    PACK_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SECONDS_LOW_FIELD_NUMBER: _ClassVar[int]
    SECONDS_HIGH_FIELD_NUMBER: _ClassVar[int]
    QUEUE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RAM_BYTES_FIELD_NUMBER: _ClassVar[int]
    VRAM_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEASURED_RUNS_FIELD_NUMBER: _ClassVar[int]
    pack: PackPin
    device: str
    seconds: float
    seconds_low: float
    seconds_high: float
    queue_seconds: float
    ram_bytes: int
    vram_bytes: int
    measured_runs: int
    def __init__(self, pack: _Optional[_Union[PackPin, _Mapping]] = ..., device: _Optional[str] = ..., seconds: _Optional[float] = ..., seconds_low: _Optional[float] = ..., seconds_high: _Optional[float] = ..., queue_seconds: _Optional[float] = ..., ram_bytes: _Optional[int] = ..., vram_bytes: _Optional[int] = ..., measured_runs: _Optional[int] = ...) -> None: ...

class Region(_message.Message):
    __slots__ = ("pid", "fd", "size", "nonce")
    PID_FIELD_NUMBER: _ClassVar[int]
    FD_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    pid: int
    fd: int
    size: int
    nonce: bytes
    def __init__(self, pid: _Optional[int] = ..., fd: _Optional[int] = ..., size: _Optional[int] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class ShareRequest(_message.Message):
    __slots__ = ("add", "drop")
    ADD_FIELD_NUMBER: _ClassVar[int]
    DROP_FIELD_NUMBER: _ClassVar[int]
    add: Region
    drop: str
    def __init__(self, add: _Optional[_Union[Region, _Mapping]] = ..., drop: _Optional[str] = ...) -> None: ...

class ShareResponse(_message.Message):
    __slots__ = ("added", "dropped", "refused")
    ADDED_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    added: str
    dropped: str
    refused: str
    def __init__(self, added: _Optional[str] = ..., dropped: _Optional[str] = ..., refused: _Optional[str] = ...) -> None: ...

class FileProbe(_message.Message):
    __slots__ = ("path", "content", "size", "blake3")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    BLAKE3_FIELD_NUMBER: _ClassVar[int]
    path: str
    content: bytes
    size: int
    blake3: bytes
    def __init__(self, path: _Optional[str] = ..., content: _Optional[bytes] = ..., size: _Optional[int] = ..., blake3: _Optional[bytes] = ...) -> None: ...

class ReachRequest(_message.Message):
    __slots__ = ("probes",)
    PROBES_FIELD_NUMBER: _ClassVar[int]
    probes: _containers.RepeatedCompositeFieldContainer[FileProbe]
    def __init__(self, probes: _Optional[_Iterable[_Union[FileProbe, _Mapping]]] = ...) -> None: ...

class ReachResponse(_message.Message):
    __slots__ = ("reached",)
    REACHED_FIELD_NUMBER: _ClassVar[int]
    reached: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, reached: _Optional[_Iterable[bool]] = ...) -> None: ...

class RenderRequest(_message.Message):
    __slots__ = ("request_id", "graph", "frames", "draft", "resume", "priority", "user", "ocio_config", "policy_toml")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    OCIO_CONFIG_FIELD_NUMBER: _ClassVar[int]
    POLICY_TOML_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    graph: str
    frames: str
    draft: bool
    resume: bool
    priority: Priority
    user: str
    ocio_config: str
    policy_toml: str
    def __init__(self, request_id: _Optional[str] = ..., graph: _Optional[str] = ..., frames: _Optional[str] = ..., draft: bool = ..., resume: bool = ..., priority: _Optional[_Union[Priority, str]] = ..., user: _Optional[str] = ..., ocio_config: _Optional[str] = ..., policy_toml: _Optional[str] = ...) -> None: ...

class RenderEvent(_message.Message):
    __slots__ = ("event_json",)
    EVENT_JSON_FIELD_NUMBER: _ClassVar[int]
    event_json: str
    def __init__(self, event_json: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("pin", "role", "title", "description", "draft", "source", "manifest_json", "badge", "badge_reasons", "rights_record", "refused", "rights_json")
    PIN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_JSON_FIELD_NUMBER: _ClassVar[int]
    BADGE_FIELD_NUMBER: _ClassVar[int]
    BADGE_REASONS_FIELD_NUMBER: _ClassVar[int]
    RIGHTS_RECORD_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    RIGHTS_JSON_FIELD_NUMBER: _ClassVar[int]
    pin: PackPin
    role: str
    title: str
    description: str
    draft: str
    source: str
    manifest_json: str
    badge: str
    badge_reasons: _containers.RepeatedScalarFieldContainer[str]
    rights_record: str
    refused: str
    rights_json: str
    def __init__(self, pin: _Optional[_Union[PackPin, _Mapping]] = ..., role: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., draft: _Optional[str] = ..., source: _Optional[str] = ..., manifest_json: _Optional[str] = ..., badge: _Optional[str] = ..., badge_reasons: _Optional[_Iterable[str]] = ..., rights_record: _Optional[str] = ..., refused: _Optional[str] = ..., rights_json: _Optional[str] = ...) -> None: ...

class SourceType(_message.Message):
    __slots__ = ("operation", "type")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    operation: str
    type: str
    def __init__(self, operation: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class PolicyInfo(_message.Message):
    __slots__ = ("show", "sha256", "source_types")
    SHOW_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SOURCE_TYPES_FIELD_NUMBER: _ClassVar[int]
    show: str
    sha256: str
    source_types: _containers.RepeatedCompositeFieldContainer[SourceType]
    def __init__(self, show: _Optional[str] = ..., sha256: _Optional[str] = ..., source_types: _Optional[_Iterable[_Union[SourceType, _Mapping]]] = ...) -> None: ...

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
    __slots__ = ("version", "device", "providers", "ocio_config", "ocio_cache_id", "search_path", "packs", "failures", "policy", "encodings", "instance", "transports")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    OCIO_CONFIG_FIELD_NUMBER: _ClassVar[int]
    OCIO_CACHE_ID_FIELD_NUMBER: _ClassVar[int]
    SEARCH_PATH_FIELD_NUMBER: _ClassVar[int]
    PACKS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    TRANSPORTS_FIELD_NUMBER: _ClassVar[int]
    version: str
    device: str
    providers: _containers.RepeatedScalarFieldContainer[str]
    ocio_config: str
    ocio_cache_id: str
    search_path: _containers.RepeatedCompositeFieldContainer[SearchFolder]
    packs: _containers.RepeatedCompositeFieldContainer[PackInfo]
    failures: _containers.RepeatedCompositeFieldContainer[PackFailure]
    policy: PolicyInfo
    encodings: _containers.RepeatedScalarFieldContainer[PixelEncoding]
    instance: str
    transports: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., device: _Optional[str] = ..., providers: _Optional[_Iterable[str]] = ..., ocio_config: _Optional[str] = ..., ocio_cache_id: _Optional[str] = ..., search_path: _Optional[_Iterable[_Union[SearchFolder, _Mapping]]] = ..., packs: _Optional[_Iterable[_Union[PackInfo, _Mapping]]] = ..., failures: _Optional[_Iterable[_Union[PackFailure, _Mapping]]] = ..., policy: _Optional[_Union[PolicyInfo, _Mapping]] = ..., encodings: _Optional[_Iterable[_Union[PixelEncoding, str]]] = ..., instance: _Optional[str] = ..., transports: _Optional[_Iterable[str]] = ...) -> None: ...
