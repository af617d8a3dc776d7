#pragma once

#include <string>

#include "tickmesh/api/tickstore/v1/commands.pb.h"

#include "arrow/status.h"
#include "tickmesh/tick_writer.h"

namespace tickmesh::internal {

/// What an atomic upload asks for.
api::tickstore::v1::PutCommand UploadCommand(const std::string& subject, int version);

/// What a writer asks for.
api::tickstore::v1::PutCommand WriterCommand(const WriterOptions& options,
                                             const Producer& producer);

/// Check the bounds of a writer's options. Fails with INVALID_ARGUMENT.
arrow::Status Check(const WriterOptions& options);

/// An argument that is wrong, whatever the store says.
arrow::Status WrongArgument(const std::string& field, const std::string& description);

}  // namespace tickmesh::internal
