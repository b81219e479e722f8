// SPDX-License-Identifier: Apache-2.0
// The host: its suites, its properties, and what it can do.
#pragma once

#include <string>

#include "abi/names.h"
#include "abi/openfx.h"

namespace understudy {

struct Host {
  OfxHost *given = nullptr;
  const OfxPropertySuiteV1 *property = nullptr;
  const OfxImageEffectSuiteV1 *effect = nullptr;
  const OfxParameterSuiteV1 *parameter = nullptr;
  const OfxMessageSuiteV2 *message = nullptr;  // may be missing, or of version 1
  int message_version = 0;
  bool multi_resolution = false;
  bool temporal = false;
  bool color = false;  // it names the color spaces of clips

  bool fetch();  // false where a suite is missing that nothing works without
};

Host &host();

// A property set; a property that is missing has the value that is given for it.
class Properties {
 public:
  explicit Properties(OfxPropertySetHandle handle) : handle_(handle) {}

  std::string text(const char *name, const std::string &otherwise = "", int index = 0) const;
  int integer(const char *name, int otherwise = 0, int index = 0) const;
  double real(const char *name, double otherwise = 0, int index = 0) const;
  void *pointer(const char *name) const;
  bool reals(const char *name, double *values, int count) const;  // false where it is missing
  bool integers(const char *name, int *values, int count) const;

  const Properties &set(const char *name, const std::string &value, int index = 0) const;
  const Properties &set(const char *name, const char *value, int index = 0) const;
  const Properties &set(const char *name, int value, int index = 0) const;
  const Properties &set(const char *name, bool value) const { return set(name, value ? 1 : 0); }
  const Properties &set(const char *name, double value, int index = 0) const;
  const Properties &set(const char *name, void *value) const;
  const Properties &set_reals(const char *name, const double *values, int count) const;

  OfxPropertySetHandle handle() const { return handle_; }

 private:
  OfxPropertySetHandle handle_;
};

}  // namespace understudy
