// SPDX-License-Identifier: Apache-2.0
// Feeds mutated messages to every decoder of the plug-in: fuzz_wire COUNT [SEED]. What can't be read must end as a Trouble,
// and with the sanitizers nothing may be touched that is not the message's. Prints how many inputs were read and refused.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "wire/grpc_status.h"
#include "wire/json.h"
#include "wire/messages.h"
#include "wire/protobuf.h"

namespace {

using namespace understudy;
using Decoder = std::function<size_t(const std::string &)>;

struct Target {
  const char *name;
  Decoder decode;
  std::vector<std::string> seeds;
  size_t read = 0, refused = 0;
};

std::string base64(const std::string &bytes) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(letters[bits >> shift & 63]);
  }
  return out;
}

std::string result_seed() {
  ProtoWriter channel, window, pixels, plate, pin, header, part;
  channel.text(1, "forward.u");
  channel.number(2, 2);
  window.signed_number(1, -7);
  window.signed_number(2, 12);
  window.number(3, 4);
  window.number(4, 3);
  pixels.number(1, 48);
  plate.text(1, "a");
  plate.message(2, channel);
  plate.message(3, window);
  plate.message(4, window);
  plate.real(5, 1);
  plate.number(12, 1);
  plate.message(13, pixels);
  pin.text(1, "dis-good");
  pin.text(3, std::string(64, 'a'));
  header.message(2, pin);
  header.real(3, 0.5);
  header.text(4, "{\"held\":[false]}");
  header.message(5, plate);
  part.message(1, header);
  return part.bytes();
}

std::string shared_seed() {
  ProtoWriter place, plate, header, part, channel, window;
  channel.text(1, "R");
  window.number(3, 2);
  window.number(4, 2);
  place.text(1, "0123456789abcdef");
  place.number(2, 4096);
  place.number(3, 16);
  plate.text(1, "plate");
  plate.message(2, channel);
  plate.message(3, window);
  plate.number(12, 1);
  plate.message(20, place);
  header.message(5, plate);
  part.message(1, header);
  return part.bytes();
}

std::string info_seed() {
  ProtoWriter pin, pack, info;
  pin.text(1, "leaves-small");
  pin.text(2, "1.0.0");
  pack.message(1, pin);
  pack.text(2, "upscale");
  pack.text(7, "{\"options\":{\"antiringing\":{\"type\":\"choice\",\"default\":\"soft\",\"choices\":[\"hard\",\"soft\"]}}}");
  info.message(7, pack);
  info.message(7, pack);
  return info.bytes();
}

std::string status_seed() {
  ProtoWriter entry, error, any, status;
  entry.text(1, "problem");
  entry.text(2, "the pack is another one");
  error.text(1, "PinMismatchError");
  error.text(2, "understudy");
  error.message(3, entry);
  any.text(1, "type.googleapis.com/google.rpc.ErrorInfo");
  any.text(2, error.bytes());
  status.number(1, 9);
  status.message(3, any);
  return status.bytes();
}

std::vector<Target> targets() {
  ProtoWriter chunk, share;
  chunk.text(2, std::string(300, '\7'));
  share.text(1, "0123456789abcdef0123456789abcdef");
  const Json example = Json::parse("{\"a\":[1,2.5e3,-0.25,true,null,\"\\u00e4\\ud83d\\ude00\"],\"b\":{\"c\":{}}}");
  if (example["a"].list.size() != 6) std::abort();
  return {{"Run", [](const std::string &in) { return decode_run_part(in).header.plates.size(); }, {result_seed(), shared_seed(), chunk.bytes(), encode_end(48)}},
          {"ShareMemory", [](const std::string &in) { return decode_share(in).added.size(); }, {share.bytes()}},
          {"Info", [](const std::string &in) { return decode_info(in).size(); }, {info_seed()}},
          {"status", [](const std::string &in) {
             return trouble_from_trailers({{"grpc-status", in.substr(0, 4)}, {"grpc-message", in}, {"grpc-status-details-bin", base64(in)}}).sentence().size() +
                    trouble_from_trailers({{"grpc-status-details-bin", in}}).sentence().size();
           }, {status_seed()}},
          {"JSON", [](const std::string &in) { return Json::parse(in).object.size(); },
           {"{\"a\":[1,2.5e3,-0.25,true,null,\"\\u00e4\\ud83d\\ude00\"],\"b\":{\"c\":{}}}", "[[[[[[1]]]]]]", "\"\\\"\\\\\""}}};
}

std::string mutated(std::string bytes, const std::vector<std::string> &seeds, std::mt19937 &random) {
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : std::uniform_int_distribution<size_t>(0, limit - 1)(random); };
  for (size_t rounds = 1 + below(4); rounds > 0; --rounds) {
    const size_t at = below(bytes.size() + 1);
    switch (below(6)) {
      case 0: if (at < bytes.size()) bytes[at] = static_cast<char>(below(256)); break;
      case 1: if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8)); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(at, 1 + below(9), static_cast<char>(below(2) ? 0xff : below(256))); break;
      case 4: bytes.erase(at, 1 + below(8)); break;
      default: {
        const std::string &other = seeds[below(seeds.size())];
        bytes.insert(at, other, below(other.size() + 1), 1 + below(other.size() + 1));
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int count, char **arguments) {
  const long total = count > 1 ? std::atol(arguments[1]) : 100000;
  std::mt19937 random(count > 2 ? static_cast<unsigned>(std::atol(arguments[2])) : 1);
  std::vector<Target> all = targets();
  for (Target &target : all)
    for (const std::string &seed : target.seeds) target.decode(seed);  // each seed itself is read
  size_t sum = 0;
  for (long i = 0; i < total; ++i) {
    Target &target = all[static_cast<size_t>(i) % all.size()];
    const std::string input = mutated(target.seeds[random() % target.seeds.size()], target.seeds, random);
    // A copy of exactly its size, so that the sanitizer sees the first byte beyond it.
    const std::string exact(input.data(), input.size());
    try {
      sum += target.decode(exact);
      ++target.read;
    } catch (const Trouble &) {
      ++target.refused;
    }
  }
  for (const Target &target : all) std::printf("%s: %zu read, %zu refused\n", target.name, target.read, target.refused);
  return sum == 0;
}
