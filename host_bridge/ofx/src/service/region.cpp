// SPDX-License-Identifier: Apache-2.0
#include "service/region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <cstring>

namespace understudy {

Region::Region(size_t capacity) : size_(kFirst + (capacity + 4095) / 4096 * 4096) {
  const Trouble none{"MemoryBudgetError", "this machine gives no memory to share", "", ""};
  fd_ = Descriptor(memfd_create("understudy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd_.get() < 0 || ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0 ||
      fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    throw none;
  nonce_.resize(32);
  if (getrandom(nonce_.data(), nonce_.size(), 0) != static_cast<ssize_t>(nonce_.size())) throw none;
  void *start = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (start == MAP_FAILED) throw none;
  // A child that the host forks must not write into what the service reads.
  madvise(start, size_, MADV_DONTFORK);
  start_ = static_cast<char *>(start);
  std::memcpy(start_, nonce_.data(), nonce_.size());
}

Region::~Region() {
  if (start_ != nullptr) munmap(start_, size_);
}

}  // namespace understudy
