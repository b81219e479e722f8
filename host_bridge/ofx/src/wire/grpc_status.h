// SPDX-License-Identifier: Apache-2.0
// How a gRPC call ended: its trailers as an error for people.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "wire/trouble.h"

namespace understudy {

using Headers = std::map<std::string, std::string>;

constexpr int kGrpcOk = 0, kGrpcUnknown = 2, kGrpcUnimplemented = 12, kGrpcUnavailable = 14, kGrpcUnauthenticated = 16;

// The code of the trailers; unknown where there is none.
int grpc_code(const Headers &trailers);

// The service's own error, where `grpc-status-details-bin` (a google.rpc.Status) carries it; else one made of the message.
Trouble trouble_from_trailers(const Headers &trailers);

std::string decode_base64(std::string_view text);   // what follows a wrong character is left out
std::string decode_percent(std::string_view text);

}  // namespace understudy
