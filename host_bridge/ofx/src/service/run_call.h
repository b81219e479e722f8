// SPDX-License-Identifier: Apache-2.0
// One request to a role of the service: where its pixels lie, what is sent, what comes back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/connection.h"
#include "wire/messages.h"

namespace understudy {

// A plate with its pixels: float32, top row first, channels interleaved.
struct Plate {
  PlateHead head;
  float *pixels = nullptr;
};

// Memory for the plates of one render: the connection's shared region, and the heap for what does not fit there.
class Arena {
 public:
  // `expected`: bytes of all plates, those of results included. Small renders are sent.
  Arena(Connection &connection, size_t expected, Patience &patience);

  // Gives a plate its pixels, of the size that its head says.
  void place(Plate &plate);
  Connection &connection() { return connection_; }

  Place room() const;  // for results; no region where there is none
  float *find(const Place &place) const;  // what the service wrote; throws Trouble where it was not to write
  void advance(const Place &place);       // results up to there are kept
  float *heap(size_t bytes);

 private:
  Connection &connection_;
  Region *region_ = nullptr;
  size_t used_ = Region::kFirst;
  std::vector<std::unique_ptr<float[]>> blocks_;
};

struct RunResult {
  std::vector<Plate> plates;
  const Plate &plate(const std::string &name) const;  // throws Trouble where it is missing
};

// What is asked, beside the plates.
struct RunRequest {
  std::string role;
  Pin pack;
  std::string params_json;
  std::string ocio_config;
};

RunResult run(Arena &arena, const RunRequest &request, const std::vector<const Plate *> &plates, Patience &patience);

}  // namespace understudy
