#pragma once

#include <memory>
#include <utility>

#include "tickmesh/tick_client.h"
#include "ticks/tick_connection.h"

namespace tickmesh {

/// What a client is made of: whatever it opens shares the connection and may outlive it.
class TickClient::Impl {
 public:
  explicit Impl(std::shared_ptr<internal::TickConnection> shared) : connection(std::move(shared)) {}

  std::shared_ptr<internal::TickConnection> connection;
};

}  // namespace tickmesh
