#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "arrow/result.h"
#include "registry/messages.h"
#include "registry/registry_connection.h"
#include "registry/schema_cache.h"

namespace tickmesh::internal {

/// Asks the registry for what the cache does not hold, and puts it there.
class VersionReader {
 public:
  using TimelinePointer = std::shared_ptr<const Timeline>;

  VersionReader(std::shared_ptr<RegistryConnection> connection, SchemaCache* cache);

  /// A version that a message carries, with the versions it refers to.
  arrow::Result<SchemaPointer> Read(const wire::SchemaVersion& message, Deadline deadline,
                                    int depth = 0);

  /// One version, asked for.
  arrow::Result<SchemaPointer> Get(const wire::GetSchemaRequest& request, Deadline deadline,
                                   int depth = 0);

  /// All versions of a subject, read anew.
  arrow::Result<TimelinePointer> Load(const std::string& subject, Deadline deadline);

  /// The same; threads that ask for one subject at a time share one load and what comes of it.
  arrow::Result<TimelinePointer> LoadOnce(const std::string& subject, Deadline deadline);

 private:
  /// A load under way, and what came of it.
  struct Flight {
    std::optional<arrow::Result<TimelinePointer>> outcome;
  };

  const std::shared_ptr<RegistryConnection> connection_;
  SchemaCache* const cache_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable landed_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace tickmesh::internal
