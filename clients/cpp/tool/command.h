#pragma once

#include <functional>
#include <iostream>
#include <string>
#include <string_view>

#include "arrow/result.h"
#include "arrow/status.h"
#include "tickmesh/connection_options.h"

namespace tickmesh::tool {

/// How a command prints.
enum class Output {
  /// For people.
  kTable,
  /// For programs.
  kJson,
};

/// What a command gives the shell.
struct Finished {
  int exit_code = 0;
};

/// A command with its arguments read: run once, after the command line was accepted.
using Command = std::function<arrow::Result<Finished>(const ConnectionOptions&)>;

/// The exit code of a command that a signal ended, as shells have it.
constexpr int ExitCodeOfSignal(int signal) { return signal == 0 ? 0 : 128 + signal; }

/// Say on standard error what to type to go on: ` next: tickmesh-cpp ticks tail …`.
inline void SayNext(std::string_view arguments) {
  std::cerr << "next: tickmesh-cpp " << arguments << '\n';
}

}  // namespace tickmesh::tool
