#include "tickmesh/connection_options.h"

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

#include "tickmesh/status.h"

namespace tickmesh {

namespace {

arrow::Status ConfigError(const std::string& message) {
  return MakeError(message, {.code = ErrorCode::kInvalidArgument, .reason = "CONFIG"});
}

arrow::Result<std::string> ReadFile(const std::string& path, std::string_view what) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || !(content << file.rdbuf())) {
    return ConfigError("cannot read " + std::string(what) + " " + path);
  }
  return content.str();
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void Override(const char* name, std::string* target) {
  if (std::string value = Variable(name); !value.empty()) *target = std::move(value);
}

arrow::Status CheckAddress(std::string_view address, std::string_view key) {
  const auto colon = address.rfind(':');
  int port = 0;
  if (colon != std::string_view::npos && colon > 0 && address.find(',') == std::string_view::npos) {
    const char* end = address.data() + address.size();
    const auto parsed = std::from_chars(address.data() + colon + 1, end, port);
    if (parsed.ec == std::errc() && parsed.ptr == end && port > 0 && port < 65536) {
      return arrow::Status::OK();
    }
  }
  return ConfigError(std::string(key) + ": expected an address host:port, was \"" +
                     std::string(address) + "\"");
}

arrow::Status CheckReplicas(std::string_view addresses, std::string_view key) {
  while (true) {
    const auto comma = addresses.find(',');
    ARROW_RETURN_NOT_OK(CheckAddress(addresses.substr(0, comma), key));
    if (comma == std::string_view::npos) return arrow::Status::OK();
    addresses.remove_prefix(comma + 1);
  }
}

}  // namespace

arrow::Result<TlsOptions> TlsOptions::FromFiles(const std::string& root_certificates,
                                                const std::string& certificate_chain,
                                                const std::string& private_key) {
  if (certificate_chain.empty() != private_key.empty()) {
    return ConfigError("a certificate and its private key must be given together");
  }
  TlsOptions options;
  ARROW_ASSIGN_OR_RAISE(options.root_certificates,
                        ReadFile(root_certificates, "the root certificates"));
  if (!certificate_chain.empty()) {
    ARROW_ASSIGN_OR_RAISE(options.certificate_chain,
                          ReadFile(certificate_chain, "the certificate"));
    ARROW_ASSIGN_OR_RAISE(options.private_key, ReadFile(private_key, "the private key"));
  }
  return options;
}

arrow::Result<ConnectionOptions> ConnectionOptions::FromEnvironment() {
  ConnectionOptions options;
  Override("TICKMESH_CLIENT__REGISTRY", &options.registry);
  Override("TICKMESH_CLIENT__TICKSTORE", &options.tickstore);
  Override("TICKMESH_CLIENT__TICKSTORE_FLIGHT", &options.tickstore_flight);

  if (const std::string attempts = Variable("TICKMESH_CLIENT__CALL_ATTEMPTS"); !attempts.empty()) {
    const char* end = attempts.data() + attempts.size();
    const auto parsed = std::from_chars(attempts.data(), end, options.call_attempts);
    if (parsed.ec != std::errc() || parsed.ptr != end) {
      return ConfigError("TICKMESH_CLIENT__CALL_ATTEMPTS: expected 1 to 5, was \"" + attempts +
                         "\"");
    }
  }

  const std::string roots = Variable("TICKMESH_CLIENT__TLS__ROOT_CERTIFICATES");
  const std::string certificate = Variable("TICKMESH_CLIENT__TLS__CERTIFICATE");
  const std::string key = Variable("TICKMESH_CLIENT__TLS__PRIVATE_KEY");
  if (!roots.empty()) {
    ARROW_ASSIGN_OR_RAISE(options.tls, TlsOptions::FromFiles(roots, certificate, key));
  } else if (!certificate.empty() || !key.empty()) {
    return ConfigError(
        "TICKMESH_CLIENT__TLS__CERTIFICATE and TICKMESH_CLIENT__TLS__PRIVATE_KEY need "
        "TICKMESH_CLIENT__TLS__ROOT_CERTIFICATES to check the server against");
  }

  std::string token = Variable("TICKMESH_CLIENT__TOKEN");
  if (const std::string path = Variable("TICKMESH_CLIENT__TOKEN__FILE"); !path.empty()) {
    ARROW_ASSIGN_OR_RAISE(token, ReadFile(path, "the token"));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  }
  if (!token.empty()) options.token = [token] { return token; };

  ARROW_RETURN_NOT_OK(options.Validate());
  return options;
}

arrow::Status ConnectionOptions::Validate() const {
  ARROW_RETURN_NOT_OK(CheckReplicas(registry, "registry"));
  ARROW_RETURN_NOT_OK(CheckReplicas(tickstore, "tickstore"));
  ARROW_RETURN_NOT_OK(CheckAddress(tickstore_flight, "tickstore_flight"));
  if (call_attempts < 1 || call_attempts > 5) {
    return ConfigError("call_attempts: expected 1 to 5, was " + std::to_string(call_attempts));
  }
  if (call_timeout <= std::chrono::milliseconds(0)) {
    return ConfigError("call_timeout: expected a positive time, was " +
                       std::to_string(call_timeout.count()) + " ms");
  }
  if (tls && tls->certificate_chain.empty() != tls->private_key.empty()) {
    return ConfigError("tls: a certificate and its private key must be given together");
  }
  for (const auto& [key, addresses] :
       {std::pair("registry", &registry), {"tickstore", &tickstore}}) {
    if (!tls || addresses->find(',') == std::string::npos) continue;
    return ConfigError(std::string(key) +
                       ": a certificate cannot be checked against several addresses; name all "
                       "replicas by one name "
                       "of their certificates: dns:///name:port");
  }
  if (token && !tls) {
    return ConfigError("token: it would travel in plain text; set tls");
  }
  return arrow::Status::OK();
}

}  // namespace tickmesh
