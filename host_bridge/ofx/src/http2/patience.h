// SPDX-License-Identifier: Apache-2.0
// How long to wait for something: until a deadline, or until the host wants no more.
#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "wire/trouble.h"

namespace understudy {

class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  // `aborted` is asked from the waiting thread, every 50 ms.
  explicit Patience(std::function<bool()> aborted = nullptr, double seconds = 0)
      : aborted_(std::move(aborted)), limited_(seconds > 0), deadline_(Clock::now() + to_duration(seconds)) {}

  // The same host, another deadline.
  Patience within(double seconds) const { return Patience(aborted_, seconds); }

  // Throws Aborted when the host wants no more; asks at most every 50 ms.
  void check() {
    const auto now = Clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(kPollMs);
    if (aborted_ && aborted_()) throw Aborted{};
  }

  bool over() const { return limited_ && Clock::now() >= deadline_; }

  static constexpr int kPollMs = 50;

 private:
  static Clock::duration to_duration(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  std::function<bool()> aborted_;
  bool limited_;
  Clock::time_point deadline_;
  Clock::time_point next_{};
};

}  // namespace understudy
