// SPDX-License-Identifier: Apache-2.0
// The actions that a host asks of a node.
#pragma once

#include "nodes/node.h"

namespace understudy {

OfxStatus handle_action(const Node &node, const char *action, OfxImageEffectHandle effect, OfxPropertySetHandle in, OfxPropertySetHandle out);

}  // namespace understudy
