// SPDX-License-Identifier: Apache-2.0
// Defines clips and parameters while a host has an effect described.
#pragma once

#include <string>
#include <vector>

#include "host/host.h"

namespace understudy {

class Definer {
 public:
  explicit Definer(OfxImageEffectHandle effect);

  struct ClipKind {
    bool optional = false, mask = false, temporal = false;
    std::vector<const char *> components = {ofx::component::kRgba, ofx::component::kRgb, ofx::component::kAlpha};
  };
  void clip(const char *name, const char *label, const ClipKind &kind);

  // Parameters that follow stand in this group, until the next one.
  void group(const std::string &name, const std::string &label, bool open);

  Properties text(const std::string &name, const std::string &label, const std::string &fallback, const std::string &hint);
  template <typename Number>  // int or double
  Properties number(const std::string &name, const std::string &label, Number fallback, Number low, Number high, const std::string &hint);
  Properties truth(const std::string &name, const std::string &label, bool fallback, const std::string &hint);
  Properties choice(const std::string &name, const std::string &label, int fallback, const std::vector<std::string> &options, const std::string &hint);
  Properties triple(const char *type, const std::string &name, const std::string &label, double x, double y, double z, const std::string &hint);
  Properties bare(const char *type, const char *name);  // one that the context asks for

  Properties param(const char *type, const std::string &name, const std::string &label, const std::string &hint);

 private:
  OfxImageEffectHandle effect_;
  OfxParamSetHandle params_ = nullptr;
  std::string group_;
};

}  // namespace understudy
