#pragma once

#include "CLI/CLI.hpp"
#include "command.h"

namespace tickmesh::tool {

/// Add `schema get` and `schema watch`; the one that is given becomes `*chosen`.
void AddSchemaCommands(CLI::App* app, Command* chosen);

}  // namespace tickmesh::tool
