#pragma once

#include "CLI/CLI.hpp"
#include "command.h"

namespace tickmesh::tool {

/// Add `ticks put`, `ticks get` and `ticks tail`; the one that is given becomes `*chosen`.
void AddTickCommands(CLI::App* app, Command* chosen);

}  // namespace tickmesh::tool
