# SPDX-License-Identifier: Apache-2.0
"""Our copy of the protocol keeps to itself."""

from google.protobuf import descriptor_pb2, descriptor_pool

from understudy.inference_protocol import messages
from understudy.inference_protocol.methods import METHODS, SERVICE, path


def test_nothing_is_in_the_default_pool_so_another_copy_fits_there() -> None:
    other = descriptor_pb2.FileDescriptorProto(name="grpc_service.proto", package="inference")
    for name in messages.DESCRIPTOR.message_types_by_name:
        other.message_type.add(name=name)
    other.service.add(name="GRPCInferenceService")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(other.SerializeToString())
    theirs = pool.FindMessageTypeByName("inference.ModelInferRequest")
    assert theirs is not messages.ModelInferRequest.DESCRIPTOR
    assert messages.ModelInferRequest(model_name="m").SerializeToString() == b"\x0a\x01m"


def test_methods_have_their_names() -> None:
    assert SERVICE == "inference.GRPCInferenceService"
    assert path("ModelInfer") == "/inference.GRPCInferenceService/ModelInfer"
    assert {"ServerLive", "ModelInfer", "SystemSharedMemoryRegister", "ModelStatistics"} < set(METHODS)
