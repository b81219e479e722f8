// SPDX-License-Identifier: Apache-2.0
#include "http2/address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace understudy {
namespace {

constexpr const char *kForms = "write unix:path, or 127.0.0.1:port";

Trouble unreachable(const Address &address, int error) {
  const char *why = "it does not answer";
  if (error == ECONNREFUSED) why = "nothing listens there";
  if (error == ENOENT) why = "there is no such socket";
  if (error == EACCES || error == EPERM) why = "this user may not use the socket";
  return {"Unreachable", std::string("the Understudy service can't be reached: ") + why, address.text(),
          "start it with: understudy serve --listen " + address.text()};
}

}  // namespace

Address Address::parse(const std::string &text) {
  Address address;
  if (text.rfind("unix:", 0) == 0) {
    address.path = text.substr(text.rfind("unix:///", 0) == 0 ? 7 : 5);
    if (address.path.empty() || address.path.size() >= sizeof(sockaddr_un::sun_path))
      throw Trouble{"UsageError", "the socket's path is empty or too long", text, kForms};
    return address;
  }
  const size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon == std::string::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  unsigned port = 0;
  if (colon != std::string::npos) {
    const auto [end, error] = std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) port = 0;
  }
  if (host.empty() || port == 0 || port > 65535) throw Trouble{"UsageError", "this is no address of a service", text, kForms};
  in_addr v4{};
  in6_addr v6{};
  address.v6 = inet_pton(AF_INET6, host.c_str(), &v6) == 1;
  const bool local = address.v6 ? IN6_IS_ADDR_LOOPBACK(&v6) != 0
                                : inet_pton(AF_INET, host.c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
  if (!local)
    throw Trouble{"UsageError", "the plug-in talks without encryption, so to this machine only", text,
                  "bring the service here with: ssh -L 7433:127.0.0.1:7433 HOST, and use 127.0.0.1:7433"};
  address.number = host;
  address.port = static_cast<uint16_t>(port);
  return address;
}

std::string Address::text() const {
  if (!path.empty()) return "unix:" + path;
  return (v6 ? "[" + number + "]" : number) + ":" + std::to_string(port);
}

Descriptor &Descriptor::operator=(Descriptor &&other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = other.release();
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

int Descriptor::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

Descriptor connect_to(const Address &address, Patience patience) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (!address.path.empty()) {
    auto *to = reinterpret_cast<sockaddr_un *>(&storage);
    to->sun_family = AF_UNIX;
    std::memcpy(to->sun_path, address.path.c_str(), address.path.size() + 1);
    size = sizeof *to;
  } else if (address.v6) {
    auto *to = reinterpret_cast<sockaddr_in6 *>(&storage);
    to->sin6_family = AF_INET6;
    to->sin6_port = htons(address.port);
    inet_pton(AF_INET6, address.number.c_str(), &to->sin6_addr);
    size = sizeof *to;
  } else {
    auto *to = reinterpret_cast<sockaddr_in *>(&storage);
    to->sin_family = AF_INET;
    to->sin_port = htons(address.port);
    inet_pton(AF_INET, address.number.c_str(), &to->sin_addr);
    size = sizeof *to;
  }
  Descriptor fd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) throw unreachable(address, errno);
  int error = 0;
  if (connect(fd.get(), reinterpret_cast<sockaddr *>(&storage), size) != 0) {
    if (errno != EINPROGRESS && errno != EAGAIN) throw unreachable(address, errno);
    pollfd wait{fd.get(), POLLOUT, 0};
    while (poll(&wait, 1, Patience::kPollMs) <= 0) {
      patience.check();
      if (patience.over()) throw unreachable(address, ETIMEDOUT);
    }
    socklen_t length = sizeof error;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    if (error != 0) throw unreachable(address, error);
  }
  if (address.path.empty()) {
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  return fd;
}

}  // namespace understudy
