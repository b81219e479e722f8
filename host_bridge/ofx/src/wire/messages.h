// SPDX-License-Identifier: Apache-2.0
// The messages of understudy.v1 (proto/understudy/v1/understudy.proto), as far as the plug-in sends and reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/trouble.h"

namespace understudy {

constexpr size_t kChunkBytes = 2u << 20;
constexpr size_t kMaxMessageBytes = 4u << 20;  // of ours and of Run's; Info may be longer

struct Window {
  int32_t x = 0, y = 0;
  uint32_t width = 0, height = 0;
};

struct Pin {
  std::string id, version, sha256;
};

// Where a plate's pixels are: in the call, or in a shared region.
struct Place {
  std::string region;  // empty: the pixels travel in the call
  uint64_t offset = 0;
  uint64_t size = 0;
};

struct PlateHead {
  std::string name;
  std::vector<std::string> channels;
  Window data, display;
  double pixel_aspect = 1;
  int64_t frame = 0;
  std::string colorspace;
  bool premultiplied = true;
  uint64_t nans = 0, infinities = 0;
  Place place;

  // Bytes of its pixels; throws Trouble when the description contradicts itself.
  uint64_t size() const;
};

struct RunHead {
  std::string request_id;
  Pin pack;
  std::string role;
  std::string params_json;
  std::string ocio_config;
  std::vector<PlateHead> plates;
  Place result;  // `size` is the capacity; no region: results come in the call
};

struct ResultHead {
  std::vector<PlateHead> plates;
};

// One message of the service on a Run call.
struct RunPart {
  enum Kind { kOther, kHeader, kChunk, kEnd };
  Kind kind = kOther;
  ResultHead header;
  std::string_view chunk;  // lies in the message
};

struct ShareAnswer {
  std::string added, refused;
};

struct PackFacts {
  Pin pin;
  std::string role, manifest_json, refused;
};

std::string encode_run_header(const RunHead &head);
std::string encode_chunk_head(uint64_t size);  // the chunk's bytes follow it
std::string encode_end(uint64_t size);
std::string encode_share(uint32_t pid, uint32_t fd, uint64_t size, std::string_view nonce);

// All throw Trouble where bytes are no such message.
RunPart decode_run_part(std::string_view bytes);
ShareAnswer decode_share(std::string_view bytes);
std::vector<PackFacts> decode_info(std::string_view bytes);

}  // namespace understudy
