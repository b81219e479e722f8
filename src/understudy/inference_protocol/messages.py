# SPDX-License-Identifier: Apache-2.0
"""The messages of ``proto/inference/inference.proto``, each a name of this module; ``messages.pyi`` has their types.

They live in a descriptor pool of their own. Protobuf's default pool holds each message name once in a process, so a
program that also imports tritonclient, whose messages have the same names, would fail on whichever comes second.
"""

from importlib import resources

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import enum_type_wrapper

_POOL = descriptor_pool.DescriptorPool()
_FILES = descriptor_pb2.FileDescriptorSet.FromString(
    resources.files(__package__).joinpath("descriptor.binpb").read_bytes()
)
for _file in _FILES.file:
    _POOL.AddSerializedFile(_file.SerializeToString())

DESCRIPTOR = _POOL.FindFileByName("inference/inference.proto")

for _name, _message in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = message_factory.GetMessageClass(_message)
for _name, _enum in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = enum_type_wrapper.EnumTypeWrapper(_enum)
    globals().update({value.name: value.number for value in _enum.values})
