#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "tickmesh/api/registry/v1/schema_registry_service.pb.h"

#include "arrow/result.h"
#include "google/protobuf/timestamp.pb.h"
#include "registry/schema_pointer.h"
#include "tickmesh/schema_change.h"
#include "tickmesh/schema_watch.h"

namespace tickmesh::internal {

namespace wire = api::registry::v1;

/// Reads a version, with the versions it refers to.
using SchemaReader = std::function<arrow::Result<SchemaPointer>(const wire::SchemaVersion&)>;

std::int64_t NanosecondsOf(const google::protobuf::Timestamp& timestamp);

/// One version without the versions it refers to.
RegisteredSchema SchemaFromWire(const wire::SchemaVersion& message);

/// The whole judgement of a candidate.
CompatibilityReport ReportFromWire(const wire::CompatibilityReport& message);

/// One entry of the change log. Fails where `read` does.
arrow::Result<ChangeEvent> EventFromWire(const wire::ChangeEvent& message,
                                         const SchemaReader& read);

/// What an event means to followers of its subject; nothing for changes of settings and for kinds
/// that this library does not know.
std::optional<SchemaChange> ChangeFromEvent(const ChangeEvent& event);

/// The request that opens a watch.
wire::WatchRequest WatchRequestOf(const WatchOptions& options);

}  // namespace tickmesh::internal
