#pragma once

#include <string>

#include "command.h"
#include "tickmesh/registered_schema.h"
#include "tickmesh/schema_watch.h"

namespace tickmesh::tool {

/// A version: a fact a line and its text, or one JSON object with the text and the Arrow fields.
std::string SchemaText(const RegisteredSchema& schema, Output output);

/// One change on one line.
std::string EventLine(const ChangeEvent& event, Output output);

}  // namespace tickmesh::tool
