# SPDX-License-Identifier: Apache-2.0
"""The generated code is what the .proto says now, and no newer than the oldest protobuf we allow."""

import importlib.resources
import re
import tomllib
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from understudy.wire.understudy.v1 import understudy_pb2 as pb

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "proto"


def test_committed_code_is_the_compiled_proto(tmp_path: Path) -> None:
    protoc = pytest.importorskip("grpc_tools.protoc")
    out = tmp_path / "set.bin"
    standard = importlib.resources.files("grpc_tools") / "_proto"
    source = PROTO / "understudy" / "v1" / "understudy.proto"
    arguments = [
        "protoc",
        f"--proto_path={PROTO}",
        f"--proto_path={standard}",
        f"--descriptor_set_out={out}",
        str(source),
    ]
    assert protoc.main(arguments) == 0
    (compiled,) = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    committed = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(committed)
    assert _without_json_names(committed) == _without_json_names(compiled)


def _without_json_names(file: descriptor_pb2.FileDescriptorProto) -> descriptor_pb2.FileDescriptorProto:
    """JSON names follow from field names; only one of the two ways to a descriptor writes them down."""
    for message in file.message_type:
        for field in message.field:
            field.ClearField("json_name")
    return file


def test_generated_code_is_no_newer_than_the_oldest_protobuf() -> None:
    text = Path(pb.__file__).read_text()
    found = re.search(r"Protobuf Python Version: (\d+)\.(\d+)\.\d+", text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (floor,) = (line for line in project["dependencies"] if line.startswith("protobuf"))
    oldest = re.fullmatch(r"protobuf>=(\d+)\.(\d+)", floor)
    assert found
    assert oldest
    assert tuple(map(int, found.groups())) <= tuple(map(int, oldest.groups()))


def test_free_field_numbers_are_reserved() -> None:
    for name in ("Channel", "Plate", "RunHeader", "End", "Progress", "ResultHeader", "InfoResponse"):
        message = descriptor_pb2.DescriptorProto()
        pb.DESCRIPTOR.message_types_by_name[name].CopyToProto(message)
        reserved = {number for span in message.reserved_range for number in range(span.start, span.end)}
        taken = {field.number for field in message.field}
        assert {*range(20, 30)} <= reserved | taken, name


def test_every_wire_message_is_of_the_versioned_package() -> None:
    assert pb.DESCRIPTOR.package == "understudy.v1"
    assert pb.Plate.__module__ == "understudy.wire.understudy.v1.understudy_pb2"
