// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259): a reader with bounded depth, and the writing of strings and numbers.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace understudy {

struct Json {
  enum Kind { kNull, kBool, kNumber, kText, kList, kObject };
  Kind kind = kNull;
  bool truth = false;
  double number = 0;
  std::string text;
  std::vector<Json> list;
  std::map<std::string, Json> object;

  const Json &operator[](const std::string &key) const;  // null where there is no such member
  double number_or(double other) const { return kind == kNumber ? number : other; }
  std::string text_or(const std::string &other) const { return kind == kText ? text : other; }

  static Json parse(std::string_view text);  // throws Trouble
};

std::string json_text(std::string_view text);  // quoted
std::string json_number(double value);         // shortest decimal that is the same double again

}  // namespace understudy
