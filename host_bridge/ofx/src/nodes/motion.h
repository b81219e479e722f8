// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nodes/node.h"

namespace understudy {

// What the motion role says of two neighbors: forward vectors of the first, backward vectors of the second.
struct MotionPair {
  Plate forward, backward;
};

MotionPair find_motion(Arena &arena, const RenderJob &job, const PackKnobs &knobs, const Plate &first, const Plate &second,
                       Patience &patience);

}  // namespace understudy
