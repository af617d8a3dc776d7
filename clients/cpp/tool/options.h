#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "command.h"

namespace tickmesh::tool {

/// Add `--output table|json`.
void AddOutput(CLI::App* command, Output* output);

/// Add `--symbol` and `--column`, each repeatable.
void AddChoices(CLI::App* command, std::vector<std::string>* symbols,
                std::vector<std::string>* columns);

}  // namespace tickmesh::tool
