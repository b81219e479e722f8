// SPDX-License-Identifier: Apache-2.0
// Protocol Buffers wire format (encoding specification): a writer, and a reader that never looks beyond its bytes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace understudy {

// How sint32 and sint64 travel.
inline uint64_t zigzag(int64_t value) { return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63); }

// Appends fields; fields with the default value are left out, as proto3 does.
class ProtoWriter {
 public:
  void number(int field, uint64_t value);
  void optional_number(int field, uint64_t value);  // written also where it is 0
  void signed_number(int field, int64_t value);     // sint32, sint64
  void real(int field, double value);
  void boolean(int field, bool value) { number(field, value ? 1 : 0); }
  void text(int field, std::string_view value);
  void message(int field, const ProtoWriter &value);  // written even when empty: it is there
  const std::string &bytes() const { return out_; }

  // Tag and length of a bytes field whose bytes follow elsewhere.
  static std::string head(int field, uint64_t size);

 private:
  void varint(uint64_t value);
  std::string out_;
};

// Walks over the fields of one message. Every accessor throws Trouble where bytes are missing or of another type.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : rest_(bytes) {}

  bool next();  // false at the end
  int field() const { return field_; }
  uint64_t number();
  int64_t signed_number();
  double real();
  std::string_view text();
  void skip();
  // Reads a text field into the one that has its number; false where none has.
  bool texts(std::initializer_list<std::pair<int, std::string *>> fields);

 private:
  uint64_t varint();
  std::string_view take(uint64_t size);
  void require(int type);

  std::string_view rest_;
  int field_ = 0;
  int type_ = 0;
};

// Has `take` look at each field of a message; a field that it answers false to is skipped.
template <typename Take>
void each_field(std::string_view bytes, Take &&take) {
  ProtoReader in(bytes);
  while (in.next())
    if (!take(in)) in.skip();
}

}  // namespace understudy
