// SPDX-License-Identifier: Apache-2.0
#include "wire/messages.h"

#include "wire/protobuf.h"

namespace understudy {
namespace {

constexpr uint64_t kSampleFloat = 2;
constexpr uint64_t kFloat32 = 1;
constexpr uint64_t kInteractive = 1;
constexpr uint32_t kMaxSide = 1u << 17;
constexpr size_t kMaxChannels = 1024, kMaxPlates = 256;

ProtoWriter encode(const Window &window) {
  ProtoWriter out;
  out.signed_number(1, window.x);
  out.signed_number(2, window.y);
  out.number(3, window.width);
  out.number(4, window.height);
  return out;
}

ProtoWriter encode(const Pin &pin) {
  ProtoWriter out;
  out.text(1, pin.id);
  out.text(2, pin.version);
  out.text(3, pin.sha256);
  return out;
}

ProtoWriter encode(const Place &place) {
  ProtoWriter out;
  out.text(1, place.region);
  out.number(2, place.offset);
  out.number(3, place.size);
  return out;
}

ProtoWriter encode(const PlateHead &plate) {
  ProtoWriter out;
  out.text(1, plate.name);
  for (const std::string &name : plate.channels) {
    ProtoWriter channel;
    channel.text(1, name);
    channel.number(2, kSampleFloat);
    out.message(2, channel);
  }
  out.message(3, encode(plate.data));
  out.message(4, encode(plate.display));
  out.real(5, plate.pixel_aspect);
  out.optional_number(6, zigzag(plate.frame));
  out.text(7, plate.colorspace);
  out.boolean(8, plate.premultiplied);
  ProtoWriter storage;
  storage.text(1, "exr");
  storage.text(3, plate.colorspace);
  out.message(10, storage);
  ProtoWriter sanitized;
  sanitized.number(1, plate.nans);
  sanitized.number(2, plate.infinities);
  out.message(11, sanitized);
  out.number(12, kFloat32);
  if (plate.place.region.empty()) {
    ProtoWriter pixels;
    pixels.number(1, plate.place.size);
    out.message(13, pixels);
  } else {
    out.message(20, encode(plate.place));
  }
  return out;
}

Window decode_window(std::string_view bytes) {
  Window window;
  each_field(bytes, [&](ProtoReader &in) {
    switch (in.field()) {
      case 1: window.x = static_cast<int32_t>(in.signed_number()); return true;
      case 2: window.y = static_cast<int32_t>(in.signed_number()); return true;
      case 3: window.width = static_cast<uint32_t>(in.number()); return true;
      case 4: window.height = static_cast<uint32_t>(in.number()); return true;
      default: return false;
    }
  });
  return window;
}

Pin decode_pin(std::string_view bytes) {
  Pin pin;
  each_field(bytes, [&](ProtoReader &in) { return in.texts({{1, &pin.id}, {2, &pin.version}, {3, &pin.sha256}}); });
  return pin;
}

Place decode_inline(std::string_view bytes) {
  Place place;
  each_field(bytes, [&](ProtoReader &in) { return in.field() == 1 && (place.size = in.number(), true); });
  return place;
}

Place decode_shared(std::string_view bytes) {
  Place place;
  each_field(bytes, [&](ProtoReader &in) {
    if (in.field() == 2) return place.offset = in.number(), true;
    if (in.field() == 3) return place.size = in.number(), true;
    return in.texts({{1, &place.region}});
  });
  if (place.region.empty()) throw malformed("shared pixels without a region");
  return place;
}

PlateHead decode_plate(std::string_view bytes) {
  PlateHead plate;
  uint64_t encoding = 0;
  each_field(bytes, [&](ProtoReader &in) {
    switch (in.field()) {
      case 2:
        if (plate.channels.size() >= kMaxChannels) throw malformed("too many channels");
        each_field(in.text(), [name = &plate.channels.emplace_back()](ProtoReader &channel) { return channel.texts({{1, name}}); });
        return true;
      case 3: plate.data = decode_window(in.text()); return true;
      case 12: encoding = in.number(); return true;
      case 13: plate.place = decode_inline(in.text()); return true;
      case 20: plate.place = decode_shared(in.text()); return true;
      default: return in.texts({{1, &plate.name}, {7, &plate.colorspace}});
    }
  });
  if (encoding != kFloat32) throw malformed("pixels in an encoding that was not asked for");
  if (plate.size() != plate.place.size) throw malformed("pixels of another size than their plate");
  return plate;
}

ResultHead decode_result(std::string_view bytes) {
  ResultHead head;
  each_field(bytes, [&](ProtoReader &in) {
    if (in.field() != 5) return false;
    if (head.plates.size() >= kMaxPlates) throw malformed("too many plates");
    head.plates.push_back(decode_plate(in.text()));
    return true;
  });
  return head;
}

PackFacts decode_pack(std::string_view bytes) {
  PackFacts pack;
  each_field(bytes, [&](ProtoReader &in) {
    if (in.field() == 1) return pack.pin = decode_pin(in.text()), true;
    return in.texts({{2, &pack.role}, {7, &pack.manifest_json}, {11, &pack.refused}});
  });
  return pack;
}

}  // namespace

uint64_t PlateHead::size() const {
  if (data.width == 0 || data.height == 0 || data.width > kMaxSide || data.height > kMaxSide || channels.empty())
    throw malformed("a plate of no possible size");
  return uint64_t{data.width} * data.height * channels.size() * 4;
}

std::string encode_run_header(const RunHead &head) {
  ProtoWriter out;
  out.text(1, head.request_id);
  out.message(2, encode(head.pack));
  out.text(3, head.role);
  out.text(4, head.params_json);
  out.text(5, head.ocio_config);
  for (const PlateHead &plate : head.plates) out.message(6, encode(plate));
  out.number(20, kInteractive);
  if (!head.result.region.empty()) out.message(25, encode(head.result));
  ProtoWriter part;
  part.message(1, out);
  return part.bytes();
}

std::string encode_chunk_head(uint64_t size) { return ProtoWriter::head(2, size); }

std::string encode_end(uint64_t size) {
  ProtoWriter end, part;
  end.number(1, size);
  part.message(3, end);
  return part.bytes();
}

std::string encode_share(uint32_t pid, uint32_t fd, uint64_t size, std::string_view nonce) {
  ProtoWriter region, part;
  region.number(1, pid);
  region.number(2, fd);
  region.number(3, size);
  region.text(4, nonce);
  part.message(1, region);
  return part.bytes();
}

RunPart decode_run_part(std::string_view bytes) {
  RunPart part;
  each_field(bytes, [&](ProtoReader &in) {
    if (in.field() == 1) return part.kind = RunPart::kHeader, part.header = decode_result(in.text()), true;
    if (in.field() == 2) return part.kind = RunPart::kChunk, part.chunk = in.text(), true;
    if (in.field() == 3) part.kind = RunPart::kEnd;
    return false;
  });
  return part;
}

ShareAnswer decode_share(std::string_view bytes) {
  ShareAnswer answer;
  each_field(bytes, [&](ProtoReader &in) { return in.texts({{1, &answer.added}, {3, &answer.refused}}); });
  return answer;
}

std::vector<PackFacts> decode_info(std::string_view bytes) {
  std::vector<PackFacts> packs;
  each_field(bytes, [&](ProtoReader &in) { return in.field() == 7 && (packs.push_back(decode_pack(in.text())), true); });
  return packs;
}

}  // namespace understudy
