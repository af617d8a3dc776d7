#include "wire/request_id.h"

#include <array>
#include <cstdint>
#include <random>

namespace tickmesh::internal {

std::string NewRequestId() {
  static constexpr char kDigits[] = "0123456789abcdef";
  // Seeded from the system once a thread: names must differ, they need not be secret.
  thread_local std::mt19937_64 generator{[] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }()};
  std::string id;
  id.reserve(32);
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = generator();
    for (int digit = 0; digit < 16; ++digit, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

}  // namespace tickmesh::internal
