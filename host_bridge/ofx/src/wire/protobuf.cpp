// SPDX-License-Identifier: Apache-2.0
#include "wire/protobuf.h"

#include <cstring>

#include "wire/trouble.h"

namespace understudy {
namespace {

enum Type { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

void append_varint(std::string &out, uint64_t value) {
  while (value > 0x7f) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

uint64_t tag(int field, Type type) { return static_cast<uint64_t>(field) << 3 | type; }

}  // namespace

void ProtoWriter::varint(uint64_t value) { append_varint(out_, value); }

void ProtoWriter::number(int field, uint64_t value) {
  if (value != 0) optional_number(field, value);
}

void ProtoWriter::optional_number(int field, uint64_t value) {
  varint(tag(field, kVarint));
  varint(value);
}

void ProtoWriter::signed_number(int field, int64_t value) {
  number(field, zigzag(value));
}

void ProtoWriter::real(int field, double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (bits == 0) return;
  varint(tag(field, kFixed64));
  for (int shift = 0; shift < 64; shift += 8) out_.push_back(static_cast<char>(bits >> shift));
}

void ProtoWriter::text(int field, std::string_view value) {
  if (value.empty()) return;
  out_ += head(field, value.size());
  out_ += value;
}

void ProtoWriter::message(int field, const ProtoWriter &value) {
  out_ += head(field, value.out_.size());
  out_ += value.out_;
}

std::string ProtoWriter::head(int field, uint64_t size) {
  std::string out;
  append_varint(out, tag(field, kLength));
  append_varint(out, size);
  return out;
}

uint64_t ProtoReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (rest_.empty()) throw malformed("a number breaks off");
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw malformed("a number has no end");
}

std::string_view ProtoReader::take(uint64_t size) {
  if (size > rest_.size()) throw malformed("a field breaks off");
  const std::string_view part = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return part;
}

void ProtoReader::require(int type) {
  if (type_ != type) throw malformed("field " + std::to_string(field_) + " is of another type");
}

bool ProtoReader::next() {
  if (rest_.empty()) return false;
  const uint64_t head = varint();
  if (head >> 3 == 0 || head >> 3 >= 1u << 29) throw malformed("a field has no number");
  field_ = static_cast<int>(head >> 3);
  type_ = static_cast<int>(head & 7);
  return true;
}

uint64_t ProtoReader::number() {
  require(kVarint);
  return varint();
}

int64_t ProtoReader::signed_number() {
  const uint64_t value = number();
  return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
}

double ProtoReader::real() {
  require(kFixed64);
  const std::string_view bytes = take(8);
  uint64_t bits = 0;
  for (size_t i = 0; i < 8; ++i) bits |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  double value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::string_view ProtoReader::text() {
  require(kLength);
  return take(varint());
}

bool ProtoReader::texts(std::initializer_list<std::pair<int, std::string *>> fields) {
  for (const auto &[number, into] : fields) {
    if (number != field_) continue;
    *into = text();
    return true;
  }
  return false;
}

void ProtoReader::skip() {
  switch (type_) {
    case kVarint: varint(); return;
    case kFixed64: take(8); return;
    case kLength: take(varint()); return;
    case kFixed32: take(4); return;
    default: throw malformed("a field is of an unknown type");
  }
}

}  // namespace understudy
