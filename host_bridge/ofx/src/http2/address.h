// SPDX-License-Identifier: Apache-2.0
// Where a service listens on this machine, and the socket to it.
#pragma once

#include <cstdint>
#include <string>

#include "http2/patience.h"

namespace understudy {

// `unix:path`, or a port of the loopback network: `127.0.0.1:7433`, `[::1]:7433`, `localhost:7433`.
struct Address {
  std::string path;
  std::string number;  // of the loopback network
  uint16_t port = 0;
  bool v6 = false;

  static Address parse(const std::string &text);  // throws Trouble
  std::string text() const;
};

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor &&other) noexcept : fd_(other.release()) {}
  Descriptor &operator=(Descriptor &&other) noexcept;
  ~Descriptor();
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

// A connected socket that does not block. Throws Trouble where nothing listens.
Descriptor connect_to(const Address &address, Patience patience);

}  // namespace understudy
