// SPDX-License-Identifier: Apache-2.0
#include "service/connection.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "service/environment.h"
#include "wire/messages.h"

namespace understudy {
namespace {

constexpr size_t kMostIdle = 16;
constexpr size_t kMostIdleBytes = 1u << 30;
constexpr size_t kGrain = 1u << 20;
constexpr auto kLongestIdle = std::chrono::seconds(60);
constexpr double kShareSeconds = 10;

bool sharing_is_off() { return environment("UNDERSTUDY_OFX_TRANSPORT") == "stream"; }

}  // namespace

Connection::Connection(const Address &address, Patience &patience)
    : token(environment("UNDERSTUDY_TOKEN")), channel_(address, patience), refused_(sharing_is_off()) {}

Region *Connection::share(size_t capacity, Patience &patience) {
  if (region_ && region_->capacity() >= capacity) return region_.get();
  if (refused_) return nullptr;
  try {
    // The service forgets the old region with its call: it drops nothing that a request still uses.
    share_.reset();
    region_.reset();
    share_ = std::make_unique<Call>(channel_, "ShareMemory", token);
    auto fresh = std::make_unique<Region>((capacity + capacity / 16 + kGrain - 1) / kGrain * kGrain);
    share_->send(encode_share(static_cast<uint32_t>(getpid()), static_cast<uint32_t>(fresh->fd()), fresh->size(), fresh->nonce()));
    std::string message;
    Patience soon = patience.within(kShareSeconds);
    if (share_->receive(message, soon)) {
      const ShareAnswer answer = decode_share(message);
      if (!answer.added.empty()) {
        fresh->name = answer.added;
        fresh->close_fd();
        region_ = std::move(fresh);
        return region_.get();
      }
    }
  } catch (const Trouble &trouble) {
    if (trouble.kind == "ConnectionLost") throw;
  }
  share_.reset();
  refused_ = true;  // pixels travel in the call
  return nullptr;
}

Pool &Pool::instance() {
  static Pool pool;
  return pool;
}

std::unique_ptr<Connection> Pool::take(const Address &address, Patience &patience) {
  std::vector<std::unique_ptr<Connection>> gone;  // closed outside the lock
  std::unique_ptr<Connection> found;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto now = Patience::Clock::now();
    for (auto &each : idle_)
      if (now - each->idle_since > kLongestIdle) gone.push_back(std::move(each));
    idle_.erase(std::remove(idle_.begin(), idle_.end(), nullptr), idle_.end());
    while (!found && !idle_.empty()) {
      const auto last = std::find_if(idle_.rbegin(), idle_.rend(), [&](const std::unique_ptr<Connection> &each) {
        return each->channel().address().text() == address.text();
      });
      if (last == idle_.rend()) break;
      std::unique_ptr<Connection> candidate = std::move(*last);
      idle_.erase(std::next(last).base());
      (candidate->alive() ? found : gone.emplace_back()) = std::move(candidate);
    }
  }
  return found ? std::move(found) : std::make_unique<Connection>(address, patience);
}

void Pool::give(std::unique_ptr<Connection> connection) {
  connection->used = true;
  connection->idle_since = Patience::Clock::now();
  std::vector<std::unique_ptr<Connection>> gone;
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(connection));
  size_t bytes = 0;
  for (const auto &each : idle_) bytes += each->region() != nullptr ? each->region()->size() : 0;
  while (idle_.size() > kMostIdle || (bytes > kMostIdleBytes && idle_.size() > 1)) {
    bytes -= idle_.front()->region() != nullptr ? idle_.front()->region()->size() : 0;
    gone.push_back(std::move(idle_.front()));
    idle_.erase(idle_.begin());
  }
}

void Pool::clear() {
  std::vector<std::unique_ptr<Connection>> gone;
  const std::lock_guard<std::mutex> lock(mutex_);
  gone.swap(idle_);
}

}  // namespace understudy
