// SPDX-License-Identifier: Apache-2.0
#include "wire/json.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "wire/trouble.h"

namespace understudy {
namespace {

constexpr int kDeepest = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Json document() {
    Json value = parse(0);
    space();
    if (!rest_.empty()) fail();
    return value;
  }

 private:
  [[noreturn]] static void fail() { throw malformed("no JSON"); }

  void space() {
    while (!rest_.empty() && std::string_view(" \t\r\n").find(rest_.front()) != std::string_view::npos)
      rest_.remove_prefix(1);
  }

  bool eat(std::string_view word) {
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool eat_mark(char mark) {
    space();
    return eat(std::string_view(&mark, 1));
  }

  Json parse(int depth) {
    if (depth > kDeepest) fail();
    space();
    Json value;
    if (rest_.empty()) fail();
    if (eat("{")) {
      value.kind = Json::kObject;
      if (eat_mark('}')) return value;
      do {
        space();
        std::string key = string();
        if (!eat_mark(':')) fail();
        value.object[std::move(key)] = parse(depth + 1);
      } while (eat_mark(','));
      if (!eat_mark('}')) fail();
    } else if (eat("[")) {
      value.kind = Json::kList;
      if (eat_mark(']')) return value;
      do value.list.push_back(parse(depth + 1));
      while (eat_mark(','));
      if (!eat_mark(']')) fail();
    } else if (rest_.front() == '"') {
      value.kind = Json::kText;
      value.text = string();
    } else if (eat("true")) {
      value.kind = Json::kBool;
      value.truth = true;
    } else if (eat("false")) {
      value.kind = Json::kBool;
    } else if (!eat("null")) {
      value.kind = Json::kNumber;
      value.number = number();
    }
    return value;
  }

  double number() {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (eat("NaN")) return std::numeric_limits<double>::quiet_NaN();
    if (eat("Infinity")) return infinity;
    if (eat("-Infinity")) return -infinity;
    double value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (end == rest_.data() || (error != std::errc() && error != std::errc::result_out_of_range)) fail();
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    return value;
  }

  unsigned hex() {
    unsigned value = 0;
    if (rest_.size() < 4) fail();
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + 4, value, 16);
    if (error != std::errc() || end != rest_.data() + 4) fail();
    rest_.remove_prefix(4);
    return value;
  }

  // UTF-8; what lies beyond the first 65536 characters is not needed here.
  static void append(std::string &out, unsigned code) {
    const auto put = [&](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) return put(code);
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (code < 0x800) return put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  }

  std::string string() {
    if (!eat("\"")) fail();
    std::string out;
    while (true) {
      if (rest_.empty()) fail();
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return out;
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      if (rest_.empty()) fail();
      const char escape = rest_.front();
      rest_.remove_prefix(1);
      constexpr std::string_view from = "bfnrt\"\\/", to = "\b\f\n\r\t\"\\/";
      if (escape == 'u') {
        append(out, hex());
      } else if (const size_t at = from.find(escape); at != from.npos) {
        out.push_back(to[at]);
      } else {
        fail();
      }
    }
  }

  std::string_view rest_;
};

}  // namespace

const Json &Json::operator[](const std::string &key) const {
  static const Json nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : found->second;
}

Json Json::parse(std::string_view text) { return Parser(text).document(); }

std::string json_text(std::string_view text) {
  static const char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + "\"";
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "0";
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

}  // namespace understudy
