// SPDX-License-Identifier: Apache-2.0
#include "wire/grpc_status.h"

#include <charconv>

#include "wire/protobuf.h"

namespace understudy {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string value_of(const Headers &headers, const char *name) {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

// google.rpc.ErrorInfo of our domain; an empty problem where it is another's.
Trouble read_error_info(std::string_view bytes) {
  Trouble trouble;
  std::string domain;
  each_field(bytes, [&](ProtoReader &in) {
    if (in.field() != 3) return in.texts({{1, &trouble.kind}, {2, &domain}});
    std::string key, value;  // an entry of its metadata
    each_field(in.text(), [&](ProtoReader &entry) { return entry.texts({{1, &key}, {2, &value}}); });
    if (key == "problem") trouble.problem = value;
    if (key == "where") trouble.where = value;
    if (key == "fix") trouble.fix = value;
    return true;
  });
  return domain == "understudy" ? trouble : Trouble{};
}

Trouble read_status(std::string_view bytes) {
  Trouble trouble;
  each_field(bytes, [&](ProtoReader &in) {
    if (in.field() != 3) return false;
    std::string type, value;  // google.protobuf.Any
    each_field(in.text(), [&](ProtoReader &any) { return any.texts({{1, &type}, {2, &value}}); });
    if (type != "type.googleapis.com/google.rpc.ErrorInfo") return true;
    const Trouble found = read_error_info(value);
    if (!found.problem.empty()) trouble = found;
    return true;
  });
  return trouble;
}

}  // namespace

int grpc_code(const Headers &trailers) {
  const std::string text = value_of(trailers, "grpc-status");
  int code = kGrpcUnknown;
  std::from_chars(text.data(), text.data() + text.size(), code);
  return code;
}

Trouble trouble_from_trailers(const Headers &trailers) {
  try {
    const Trouble own = read_status(decode_base64(value_of(trailers, "grpc-status-details-bin")));
    if (!own.problem.empty()) return own;
  } catch (const Trouble &) {
    // Details that can't be read say nothing.
  }
  const std::string message = decode_percent(value_of(trailers, "grpc-message"));
  switch (grpc_code(trailers)) {
    case kGrpcUnimplemented:
      return {"UsageError", "what answers there is no Understudy service of this version", "", "check the address"};
    case kGrpcUnauthenticated:
      return {"AccessError", "the service does not know who calls", "", "set UNDERSTUDY_TOKEN before the host starts"};
    case kGrpcUnavailable:
      return {"UnavailableError", "the service does not take the request (" + message + ")", "", "try again"};
    default:
      return {"UnderstudyError", "the request failed (" + (message.empty() ? "no reason given" : message) + ")", "",
              "the service's log has the details"};
  }
}

std::string decode_base64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t value = kBase64.find(c);
    if (value == kBase64.npos) break;
    bits = (bits << 6 | static_cast<uint32_t>(value)) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count));
    }
  }
  return out;
}

std::string decode_percent(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char *begin = text.data() + i + 1;
      const auto [end, error] = std::from_chars(begin, begin + 2, value, 16);
      if (error == std::errc() && end == begin + 2) {
        out.push_back(static_cast<char>(value));
        i += 2;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

}  // namespace understudy
