// SPDX-License-Identifier: Apache-2.0
// A connection to a service with the memory it shares, and the pool that renders take connections from.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http2/channel.h"
#include "service/region.h"

namespace understudy {

// Used by one render at a time. The ShareMemory call stays open as long as the connection.
class Connection {
 public:
  Connection(const Address &address, Patience &patience);

  Channel &channel() { return channel_; }
  // A region of at least `capacity` bytes that the service knows; nullptr where memory can't be shared.
  Region *share(size_t capacity, Patience &patience);
  Region *region() { return region_.get(); }
  bool alive() { return channel_.alive() && !(share_ && share_->closed() && region_); }

  const std::string token;  // of this user, from the environment
  bool used = false;        // a call ended well on it
  Patience::Clock::time_point idle_since{};

 private:
  Channel channel_;
  std::unique_ptr<Call> share_;
  std::unique_ptr<Region> region_;
  bool refused_ = false;
};

// Idle connections, by address. All functions may be called from any thread.
class Pool {
 public:
  static Pool &instance();

  std::unique_ptr<Connection> take(const Address &address, Patience &patience);
  void give(std::unique_ptr<Connection> connection);
  void clear();

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

// A connection for the time of one render; it goes back to the pool only when `keep` was called.
class Lease {
 public:
  Lease(const Address &address, Patience &patience) : connection_(Pool::instance().take(address, patience)) {}
  Connection *operator->() { return connection_.get(); }
  Connection &operator*() { return *connection_; }
  void keep() { Pool::instance().give(std::move(connection_)); }

 private:
  std::unique_ptr<Connection> connection_;
};

}  // namespace understudy
