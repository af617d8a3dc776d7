#pragma once

#include <string>
#include <string_view>

#include "tickmesh/connection_options.h"

/// \file
/// The servers that the driver (tests/integration/cpp at the root of the repository) started for
/// this program. What goes wrong here throws, and so fails the test.

namespace tickmesh::testing {

/// The variable `TICKMESH_TEST_<name>`, set by the driver.
std::string FromDriver(std::string_view name);

/// To the servers, straight.
ConnectionOptions ToServers();

/// To the servers, through wires that `Break` breaks.
ConnectionOptions ThroughFaultyWires();

/// To servers that want certificates (in suites named `Tls…`).
ConnectionOptions WithTls();

/// Whether these are they.
bool WantsTls();

/// Break or mend something, as in `Break("registry down")`: see faulty_mesh.py of the driver for
/// the commands. Returns once it is done. The driver mends everything before the next case.
void Break(std::string_view command);

/// A name no other test uses, as in `ticks.trades_5f2c…`.
std::string FreshSubject(std::string_view prefix = "ticks.trades");

/// What a registration is told beside its text.
struct Registration {
  /// Let it in although it breaks readers.
  bool allow_breaking = false;
  /// From when on it is in force; from now on when 0.
  int64_t effective_from_ns = 0;
};

/// Register a schema with the registry, straight; returns its version.
int RegisterSchema(const std::string& subject, const std::string& text,
                   const Registration& registration = {});

/// A schema of trades (ts, symbol, price, size), with one more optional property of type number if
/// `more` names one.
std::string TradesSchema(std::string_view more = "");

}  // namespace tickmesh::testing
