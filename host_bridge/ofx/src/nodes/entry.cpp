// SPDX-License-Identifier: Apache-2.0
// What the host finds in the bundle: three C functions, and the four plug-ins behind them.
#include "nodes/actions.h"

namespace {

using namespace understudy;

constexpr int kCount = 4;

void set_host(OfxHost *given) { host().given = given; }

template <const Node &(*node)()>
OfxStatus main_entry(const char *action, const void *handle, OfxPropertySetHandle in, OfxPropertySetHandle out) {
  auto *effect = static_cast<OfxImageEffectHandle>(const_cast<void *>(handle));
  return handle_action(node(), action, effect, in, out);
}

OfxPlugin *plugins() {
  static OfxPlugin all[kCount] = {};
  if (all[0].pluginApi != nullptr) return all;
  all[3] = {ofx::kApi, 1, relight_node().id(), 1, 0, set_host, main_entry<relight_node>};
  all[2] = {ofx::kApi, 1, upscale_node().id(), 1, 0, set_host, main_entry<upscale_node>};
  all[1] = {ofx::kApi, 1, retime_node().id(), 1, 0, set_host, main_entry<retime_node>};
  all[0] = {ofx::kApi, 1, motion_node().id(), 1, 0, set_host, main_entry<motion_node>};
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
