#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "arrow/result.h"
#include "tickmesh/export.h"

namespace tickmesh {

/// How connections are encrypted: PEM texts.
struct TICKMESH_EXPORT TlsOptions {
  /// Authorities that a server's certificate is checked against.
  std::string root_certificates = {};
  /// Own certificate chain, for mutual TLS; empty for none.
  std::string certificate_chain = {};
  /// Key of `certificate_chain`.
  std::string private_key = {};

  /// Read PEM files; `certificate_chain` and `private_key` may be empty, together.
  ///
  /// Fails with INVALID_ARGUMENT, reason CONFIG, when a file cannot be read.
  static arrow::Result<TlsOptions> FromFiles(const std::string& root_certificates,
                                             const std::string& certificate_chain = "",
                                             const std::string& private_key = "");
};

/// Where a client finds the mesh, and as whom it speaks. Defaults are those of `tickmesh up`.
struct TICKMESH_EXPORT ConnectionOptions {
  /// The schema registry (gRPC), `host:port`; replicas as `10.0.0.1:7470,10.0.0.2:7470` or
  /// `dns:///name:7470`: calls then go round.
  std::string registry = "127.0.0.1:7470";
  /// The tick store's control plane (gRPC).
  std::string tickstore = "127.0.0.1:7472";
  /// The tick store's data plane (Flight).
  std::string tickstore_flight = "127.0.0.1:7482";
  /// Plain text when unset, which is meant for loopback.
  std::optional<TlsOptions> tls = std::nullopt;
  /// Asked for the bearer token of every call, from any thread, so that a token can be renewed;
  /// must not block for long. A token needs TLS.
  std::function<std::string()> token = {};
  /// The deadline of one control call, with its retries.
  std::chrono::milliseconds call_timeout = std::chrono::seconds(10);
  /// How often a control call is tried while its peer does not answer; 1 to 5.
  int call_attempts = 5;

  /// Options from the environment: `TICKMESH_CLIENT__REGISTRY`, `…__TICKSTORE`,
  /// `…__TICKSTORE_FLIGHT`, `…__CALL_ATTEMPTS`, `…__TLS__ROOT_CERTIFICATES`,
  /// `…__TLS__CERTIFICATE`, `…__TLS__PRIVATE_KEY` (paths), `…__TOKEN` or `…__TOKEN__FILE`. What is
  /// not set keeps its default.
  ///
  /// Fails with INVALID_ARGUMENT, reason CONFIG, naming the variable that is wrong.
  static arrow::Result<ConnectionOptions> FromEnvironment();

  /// Check addresses, bounds, and that a token never travels in plain text.
  ///
  /// Fails with INVALID_ARGUMENT, reason CONFIG. Every `Connect` calls it.
  arrow::Status Validate() const;
};

}  // namespace tickmesh
