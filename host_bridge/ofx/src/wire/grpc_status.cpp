// SPDX-License-Identifier: Apache-2.0
#include "wire/grpc_status.h"

#include <charconv>

#include "wire/protobuf.h"

namespace understudy {
namespace {

std::string value_of(const Headers &headers, const char *name) {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

// An entry of ErrorInfo.metadata.
void read_entry(std::string_view bytes, Trouble &trouble) {
  std::string key, value;
  ProtoReader in(bytes);
  while (in.next()) {
    if (in.field() == 1)
      key = in.text();
    else if (in.field() == 2)
      value = in.text();
    else
      in.skip();
  }
  if (key == "problem") trouble.problem = value;
  if (key == "where") trouble.where = value;
  if (key == "fix") trouble.fix = value;
}

// google.rpc.ErrorInfo of our domain; an empty problem where it is another's.
Trouble read_error_info(std::string_view bytes) {
  Trouble trouble;
  std::string domain;
  ProtoReader in(bytes);
  while (in.next()) {
    switch (in.field()) {
      case 1: trouble.kind = in.text(); break;
      case 2: domain = in.text(); break;
      case 3: read_entry(in.text(), trouble); break;
      default: in.skip();
    }
  }
  return domain == "understudy" ? trouble : Trouble{};
}

Trouble read_status(std::string_view bytes) {
  Trouble trouble;
  ProtoReader in(bytes);
  while (in.next()) {
    if (in.field() != 3) {
      in.skip();
      continue;
    }
    std::string_view type, value;  // google.protobuf.Any
    ProtoReader any(in.text());
    while (any.next()) {
      if (any.field() == 1)
        type = any.text();
      else if (any.field() == 2)
        value = any.text();
      else
        any.skip();
    }
    constexpr std::string_view wanted = "/google.rpc.ErrorInfo";
    if (type.size() >= wanted.size() && type.substr(type.size() - wanted.size()) == wanted) {
      const Trouble found = read_error_info(value);
      if (!found.problem.empty()) trouble = found;
    }
  }
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
    uint32_t value = 0;
    if (c >= 'A' && c <= 'Z')
      value = static_cast<uint32_t>(c - 'A');
    else if (c >= 'a' && c <= 'z')
      value = static_cast<uint32_t>(c - 'a' + 26);
    else if (c >= '0' && c <= '9')
      value = static_cast<uint32_t>(c - '0' + 52);
    else if (c == '+')
      value = 62;
    else if (c == '/')
      value = 63;
    else
      break;
    bits = (bits << 6 | value) & 0xffffff;
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
