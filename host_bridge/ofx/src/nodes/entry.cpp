// SPDX-License-Identifier: Apache-2.0
// What the host finds in the bundle: three C functions, and the four plug-ins behind them.
#include "nodes/actions.h"

namespace {

using namespace understudy;

constexpr int kCount = 4;

void set_host(OfxHost *given) { host().given = given; }

template <int index>
OfxStatus main_entry(const char *action, const void *handle, OfxPropertySetHandle in, OfxPropertySetHandle out) {
  auto *effect = static_cast<OfxImageEffectHandle>(const_cast<void *>(handle));
  return handle_action(*all_nodes()[index], action, effect, in, out);
}

OfxPlugin *plugins() {
  static OfxPlugin all[kCount] = {};
  if (all[0].pluginApi != nullptr) return all;
  decltype(OfxPlugin::mainEntry) entries[kCount] = {main_entry<0>, main_entry<1>, main_entry<2>, main_entry<3>};
  for (int i = kCount - 1; i >= 0; --i)
    all[i] = {ofx::kApi, 1, all_nodes()[static_cast<size_t>(i)]->id(), 1, 0, set_host, entries[i]};
  return all;
}

}  // namespace

#define UNDERSTUDY_EXPORT extern "C" __attribute__((visibility("default")))

UNDERSTUDY_EXPORT int OfxGetNumberOfPlugins(void) { return kCount; }

UNDERSTUDY_EXPORT OfxPlugin *OfxGetPlugin(int index) {
  return index >= 0 && index < kCount ? plugins() + index : nullptr;
}

UNDERSTUDY_EXPORT OfxStatus OfxSetHost(const OfxHost *given) {
  set_host(const_cast<OfxHost *>(given));
  return kOfxStatOK;
}
