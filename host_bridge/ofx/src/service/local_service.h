// SPDX-License-Identifier: Apache-2.0
// Which service to ask, and starting one of the user's own where none is named.
#pragma once

#include <string>

#include "http2/address.h"
#include "http2/patience.h"

namespace understudy {

// `named` (a parameter), else $UNDERSTUDY_SERVER; neither: the user's own service on this machine.
struct Target {
  Address address;
  bool own = false;  // may be started
};

Target target_of(const std::string &named);  // throws Trouble

// Starts the user's own service where nothing answers at its socket, and waits until it does. Processes that ask at the
// same time start one together: a lock file beside the socket sees to it. Throws Trouble where it does not come up.
void start_own_service(const Address &address, Patience &patience);

}  // namespace understudy
