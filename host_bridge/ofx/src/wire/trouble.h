// SPDX-License-Identifier: Apache-2.0
// Errors that a person is to read: what was wrong, where, what to do. The service's own errors arrive in this form.
#pragma once

#include <string>
#include <utility>

namespace understudy {

// What went wrong. `kind` is the class of the service's error tree, such as "PinMismatchError".
struct Trouble {
  std::string kind;
  std::string problem;
  std::string where;
  std::string fix;

  std::string sentence() const {
    std::string text = where.empty() ? problem : where + ": " + problem;
    return fix.empty() ? text : text + "; " + fix;
  }
};

// The host no longer wants the result; nobody is to be told.
struct Aborted {};

// Bytes that are not what they should be.
inline Trouble malformed(std::string what) {
  return {"Malformed", "the service's answer can't be read: " + std::move(what), "", "is it of the plug-in's version?"};
}

}  // namespace understudy
