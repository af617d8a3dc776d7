#pragma once

#include <memory>

#include "registry/registry_connection.h"
#include "registry/resuming_watch.h"
#include "registry/schema_cache.h"
#include "registry/version_reader.h"
#include "tickmesh/connection_options.h"
#include "tickmesh/schema_watch.h"

namespace tickmesh {

/// A watch with a connection of its own; its cache holds what schemas refer to.
class SchemaWatch::Impl {
 public:
  Impl(const ConnectionOptions& connection, const WatchOptions& options);

  internal::ResumingWatch& watch() { return watch_; }

  void Close();

 private:
  const std::shared_ptr<internal::RegistryConnection> connection_;
  internal::SchemaCache cache_;
  internal::VersionReader reader_;
  internal::ResumingWatch watch_;
};

}  // namespace tickmesh
