// SPDX-License-Identifier: Apache-2.0
// Memory that the service may read and write: a sealed memfd (see ShareMemory in the protocol).
#pragma once

#include <cstddef>
#include <string>

#include "http2/address.h"

namespace understudy {

class Region {
 public:
  static constexpr size_t kFirst = 4096;  // pixels begin here; the nonce stands before them
  static constexpr size_t kAlignment = 64;

  explicit Region(size_t capacity);  // bytes for pixels; throws Trouble
  ~Region();
  Region(const Region &) = delete;
  Region &operator=(const Region &) = delete;

  size_t size() const { return size_; }
  size_t capacity() const { return size_ - kFirst; }
  char *at(size_t offset) const { return start_ + offset; }
  int fd() const { return fd_.get(); }
  void close_fd() { fd_ = Descriptor(); }  // the mapping keeps the memory
  const std::string &nonce() const { return nonce_; }

  std::string name;  // what the service calls it

 private:
  size_t size_;
  Descriptor fd_;
  char *start_ = nullptr;
  std::string nonce_;
};

constexpr size_t aligned(size_t size) { return (size + Region::kAlignment - 1) / Region::kAlignment * Region::kAlignment; }

}  // namespace understudy
