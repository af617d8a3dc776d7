#pragma once

#include <memory>

#include "tickmesh/registered_schema.h"

namespace tickmesh::internal {

using SchemaPointer = std::shared_ptr<const RegisteredSchema>;

}  // namespace tickmesh::internal
