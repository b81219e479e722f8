// SPDX-License-Identifier: Apache-2.0
#include "service/run_call.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

namespace understudy {
namespace {

constexpr size_t kSmall = 256u << 10;  // a render below it is not worth a session of shared memory

std::string next_request_id() {
  static std::atomic<unsigned> count{0};
  return "ofx-" + std::to_string(getpid()) + "-" + std::to_string(++count);
}

// Collects the pixels that come as chunks.
class Chunks {
 public:
  Chunks(Arena &arena, std::vector<Plate> &plates) : plates_(plates) {
    for (size_t i = 0; i < plates.size(); ++i) {
      if (plates[i].pixels != nullptr) continue;
      plates[i].pixels = arena.heap(plates[i].head.place.size);
      coming_.push_back(i);
    }
  }

  void add(std::string_view chunk) {
    while (!chunk.empty()) {
      if (done()) throw malformed("more pixels than declared");
      Plate &plate = plates_[coming_.front()];
      const size_t size = std::min<size_t>(chunk.size(), plate.head.place.size - filled_);
      std::memcpy(reinterpret_cast<char *>(plate.pixels) + filled_, chunk.data(), size);
      filled_ += size;
      chunk.remove_prefix(size);
      if (filled_ == plate.head.place.size) {
        coming_.erase(coming_.begin());
        filled_ = 0;
      }
    }
  }

  bool done() const { return coming_.empty(); }

 private:
  std::vector<Plate> &plates_;
  std::vector<size_t> coming_;
  size_t filled_ = 0;
};

}  // namespace

Arena::Arena(Connection &connection, size_t expected, Patience &patience) : connection_(connection) {
  if (expected >= kSmall || connection.region() != nullptr) region_ = connection.share(expected, patience);
}

void Arena::place(Plate &plate) {
  Place &place = plate.head.place;
  place = Place{};
  place.size = plate.head.size();
  if (region_ != nullptr && used_ + place.size <= region_->size()) {
    place.region = region_->name;
    place.offset = used_;
    plate.pixels = reinterpret_cast<float *>(region_->at(used_));
    used_ += aligned(place.size);
  } else {
    plate.pixels = heap(place.size);
  }
}

Place Arena::room() const {
  if (region_ == nullptr || used_ >= region_->size()) return {};
  return {region_->name, used_, region_->size() - used_};
}

float *Arena::find(const Place &place) const {
  const bool ours = region_ != nullptr && place.region == region_->name && place.offset % 4 == 0 &&
                    place.offset >= Region::kFirst && place.offset <= region_->size() &&
                    place.size <= region_->size() - place.offset;
  if (!ours) throw malformed("pixels outside the memory that was offered for them");
  return reinterpret_cast<float *>(region_->at(place.offset));
}

void Arena::advance(const Place &place) { used_ = std::max(used_, aligned(place.offset + place.size)); }

float *Arena::heap(size_t bytes) {
  // Not cleared: every sample is written before it is read.
  blocks_.emplace_back(new float[bytes / sizeof(float)]);
  return blocks_.back().get();
}

const Plate &RunResult::plate(const std::string &name) const {
  for (const Plate &each : plates)
    if (each.head.name == name) return each;
  throw malformed("plate " + name + " is missing");
}

RunResult run(Arena &arena, const RunRequest &request, const std::vector<const Plate *> &plates, Patience &patience) {
  RunHead head{next_request_id(), request.pack, request.role, request.params_json, request.ocio_config, {}, arena.room()};
  uint64_t total = 0;
  for (const Plate *plate : plates) head.plates.push_back(plate->head);

  Call call(arena.connection().channel(), "Run", arena.connection().token);
  call.send(encode_run_header(head));
  for (const Plate *plate : plates) {
    if (!plate->head.place.region.empty()) continue;
    const char *bytes = reinterpret_cast<const char *>(plate->pixels);
    for (uint64_t at = 0; at < plate->head.place.size; at += kChunkBytes) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(kChunkBytes, plate->head.place.size - at));
      call.send(encode_chunk_head(size), bytes + at, size);
    }
    total += plate->head.place.size;
  }
  call.send(encode_end(total));
  call.finish();

  RunResult result;
  std::unique_ptr<Chunks> chunks;
  bool ended = false;
  for (std::string message; call.receive(message, patience);) {
    const RunPart part = decode_run_part(message);
    if (part.kind == RunPart::kHeader && !chunks) {
      for (const PlateHead &plate : part.header.plates) {
        Plate each{plate, nullptr};
        if (!plate.place.region.empty()) {
          each.pixels = arena.find(plate.place);
          arena.advance(plate.place);
        }
        result.plates.push_back(std::move(each));
      }
      chunks = std::make_unique<Chunks>(arena, result.plates);
    } else if (part.kind == RunPart::kChunk) {
      if (!chunks) throw malformed("pixels before the header");
      chunks->add(part.chunk);
    } else if (part.kind == RunPart::kEnd) {
      ended = chunks && chunks->done();
    }
  }
  if (!ended) throw malformed("it breaks off before its end");
  return result;
}

}  // namespace understudy
