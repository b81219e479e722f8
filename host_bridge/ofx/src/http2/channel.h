// SPDX-License-Identifier: Apache-2.0
// gRPC over HTTP/2 without TLS (h2c), on nghttp2. A channel is used by one thread at a time and has no thread of its own:
// it reads and writes while somebody waits.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http2/address.h"
#include "http2/patience.h"
#include "wire/grpc_status.h"

struct nghttp2_session;

namespace understudy {

class Channel;

// One call. It is cancelled when it goes before its end.
class Call {
 public:
  Call(Channel &channel, const char *method, const std::string &token);
  ~Call();
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;

  // Queues a message: `head`, then `size` bytes at `body`, which must stay until the message was sent.
  void send(std::string head, const void *body = nullptr, size_t size = 0);
  void finish();  // nothing more is sent

  // Waits for the next message. False at the end of a call that ended well; a call that failed throws Trouble.
  bool receive(std::string &message, Patience &patience);
  // Waits until all that is queued was sent, or the service ended the call.
  void flush(Patience &patience);

  bool closed() const { return closed_; }

 private:
  friend class Channel;
  struct Piece {
    std::string own;
    const char *data = nullptr;
    size_t size = 0;
  };
  size_t fill(unsigned char *to, size_t room, bool &end);
  void take(std::string_view bytes);

  Channel &channel_;
  int id_ = -1;
  std::deque<Piece> out_;
  size_t out_offset_ = 0;
  bool finished_ = false, deferred_ = false, closed_ = false;
  uint32_t error_ = 0;
  Headers headers_;
  std::string in_;
  std::deque<std::string> messages_;
};

class Channel {
 public:
  Channel(const Address &address, Patience &patience);
  ~Channel();
  Channel(const Channel &) = delete;
  Channel &operator=(const Channel &) = delete;

  // Reads what has come meanwhile; false when the service has gone.
  bool alive();
  const Address &address() const { return address_; }

 private:
  friend class Call;
  struct Hooks;  // nghttp2's callbacks
  void step(Patience &patience);  // sends and reads what there is, or waits for at most 50 ms
  void write();
  bool read();  // false where nothing has come
  void beat();
  [[noreturn]] void lost(const char *why);

  Address address_;
  Descriptor socket_;
  nghttp2_session *session_ = nullptr;
  std::vector<unsigned char> outgoing_, incoming_;
  size_t written_ = 0;
  Patience::Clock::time_point heard_, pinged_;
  bool dead_ = false, answered_ = false;
};

}  // namespace understudy
