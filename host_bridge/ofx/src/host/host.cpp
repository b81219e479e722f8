// SPDX-License-Identifier: Apache-2.0
#include "host/host.h"

namespace understudy {

Host &host() {
  static Host one;
  return one;
}

bool Host::fetch() {
  if (given == nullptr) return false;
  const auto suite = [&](const char *name, int version) { return given->fetchSuite(given->host, name, version); };
  property = static_cast<const OfxPropertySuiteV1 *>(suite("OfxPropertySuite", 1));
  effect = static_cast<const OfxImageEffectSuiteV1 *>(suite("OfxImageEffectSuite", 1));
  parameter = static_cast<const OfxParameterSuiteV1 *>(suite("OfxParameterSuite", 1));
  for (message_version = 2; message_version > 0; --message_version) {
    message = static_cast<const OfxMessageSuiteV2 *>(suite("OfxMessageSuite", message_version));
    if (message != nullptr) break;
  }
  if (property == nullptr || effect == nullptr || parameter == nullptr) return false;
  const Properties own(given->host);
  multi_resolution = own.integer(ofx::prop::kMultiResolution, 0) != 0;
  temporal = own.integer(ofx::prop::kTemporalAccess, 0) != 0;
  const std::string style = own.text(ofx::color::kStyle);
  color = !style.empty() && style.find("None") == std::string::npos;
  return true;
}

std::string Properties::text(const char *name, const std::string &otherwise, int index) const {
  char *value = nullptr;
  if (host().property->getString(handle_, name, index, &value) != kOfxStatOK || value == nullptr) return otherwise;
  return value;
}

int Properties::integer(const char *name, int otherwise, int index) const {
  int value = 0;
  return host().property->getInt(handle_, name, index, &value) == kOfxStatOK ? value : otherwise;
}

double Properties::real(const char *name, double otherwise, int index) const {
  double value = 0;
  return host().property->getDouble(handle_, name, index, &value) == kOfxStatOK ? value : otherwise;
}

void *Properties::pointer(const char *name) const {
  void *value = nullptr;
  return host().property->getPointer(handle_, name, 0, &value) == kOfxStatOK ? value : nullptr;
}

bool Properties::reals(const char *name, double *values, int count) const {
  return host().property->getDoubleN(handle_, name, count, values) == kOfxStatOK;
}

bool Properties::integers(const char *name, int *values, int count) const {
  return host().property->getIntN(handle_, name, count, values) == kOfxStatOK;
}

// What a host does not know it refuses to set; nothing here depends on a single property.
const Properties &Properties::set(const char *name, const std::string &value, int index) const {
  host().property->setString(handle_, name, index, value.c_str());
  return *this;
}

const Properties &Properties::set(const char *name, const char *value, int index) const {
  host().property->setString(handle_, name, index, value);
  return *this;
}

const Properties &Properties::set(const char *name, int value, int index) const {
  host().property->setInt(handle_, name, index, value);
  return *this;
}

const Properties &Properties::set(const char *name, double value, int index) const {
  host().property->setDouble(handle_, name, index, value);
  return *this;
}

const Properties &Properties::set(const char *name, void *value) const {
  host().property->setPointer(handle_, name, 0, value);
  return *this;
}

const Properties &Properties::set_reals(const char *name, const double *values, int count) const {
  host().property->setDoubleN(handle_, name, count, values);
  return *this;
}

}  // namespace understudy
