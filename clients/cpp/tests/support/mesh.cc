#include "tests/support/mesh.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tickmesh/api/registry/v1/schema_registry_service.grpc.pb.h"

#include "grpcpp/grpcpp.h"
#include "nlohmann/json.hpp"

namespace tickmesh::testing {
namespace {

namespace registry = api::registry::v1;

constexpr std::chrono::seconds kCallTimeout{60};

std::shared_ptr<grpc::ChannelCredentials> Credentials() {
  if (!WantsTls()) return grpc::InsecureChannelCredentials();
  const TlsOptions tls = *WithTls().tls;
  return grpc::SslCredentials({.pem_root_certs = tls.root_certificates,
                               .pem_private_key = tls.private_key,
                               .pem_cert_chain = tls.certificate_chain});
}

/// A line to the driver, and its answer.
std::string Ask(const std::string& address, std::string_view command) {
  const auto colon = address.rfind(':');
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints,
                  &found) != 0) {
    throw std::runtime_error("expected host:port, got " + address);
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  const int connection = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  const auto close_connection = [](const int* handle) { close(*handle); };
  const std::unique_ptr<const int, decltype(close_connection)> closed(&connection,
                                                                      close_connection);
  const std::string line = std::string(command) + "\n";
  if (connect(connection, found->ai_addr, found->ai_addrlen) != 0 ||
      send(connection, line.data(), line.size(), MSG_NOSIGNAL) != ssize_t(line.size())) {
    throw std::runtime_error("the driver's control port does not answer at " + address);
  }
  std::string answer;
  char next = 0;
  while (recv(connection, &next, 1, 0) == 1 && next != '\n') answer.push_back(next);
  return answer;
}

}  // namespace

std::string FromDriver(std::string_view name) {
  const std::string variable = "TICKMESH_TEST_" + std::string(name);
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr) {
    throw std::runtime_error(variable +
                             " is not set: these tests are run by `pytest tests/integration/cpp`");
  }
  return value;
}

ConnectionOptions ToServers() {
  return {.registry = FromDriver("REGISTRY"),
          .tickstore = FromDriver("TICKSTORE"),
          .tickstore_flight = FromDriver("TICKSTORE_FLIGHT")};
}

ConnectionOptions ThroughFaultyWires() {
  return {.registry = FromDriver("FAULTY_REGISTRY"),
          .tickstore = FromDriver("FAULTY_TICKSTORE"),
          .tickstore_flight = FromDriver("FAULTY_TICKSTORE_FLIGHT")};
}

ConnectionOptions WithTls() {
  ConnectionOptions options = ToServers();
  options.tls = TlsOptions::FromFiles(FromDriver("TLS_ROOT_CERTIFICATES"),
                                      FromDriver("TLS_CERTIFICATE"), FromDriver("TLS_PRIVATE_KEY"))
                    .ValueOrDie();
  return options;
}

bool WantsTls() { return std::getenv("TICKMESH_TEST_TLS_ROOT_CERTIFICATES") != nullptr; }

void Break(std::string_view command) {
  const std::string answer = Ask(FromDriver("FAULT_PROXY"), command);
  if (answer != "ok") throw std::runtime_error("the driver answered: " + answer);
}

std::string FreshSubject(std::string_view prefix) {
  static std::random_device entropy;
  return std::string(prefix) + "_" + std::to_string(entropy()) + std::to_string(entropy());
}

int RegisterSchema(const std::string& subject, const std::string& text,
                   const Registration& registration) {
  const auto stub = registry::SchemaRegistryService::NewStub(
      grpc::CreateChannel(FromDriver("REGISTRY"), Credentials()));
  registry::RegisterSchemaRequest request;
  request.set_subject(subject);
  request.set_text(text);
  request.set_allow_breaking(registration.allow_breaking);
  if (registration.effective_from_ns != 0) {
    auto* from = request.mutable_effective_from();
    from->set_seconds(registration.effective_from_ns / 1'000'000'000);
    from->set_nanos(static_cast<int>(registration.effective_from_ns % 1'000'000'000));
  }
  // A server that was killed may be on its way back: the call waits for a connection, and is made
  // again when the server listens and does not serve yet. The same text twice is one version.
  const auto deadline = std::chrono::system_clock::now() + kCallTimeout;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(deadline);
    context.set_wait_for_ready(true);
    registry::RegisterSchemaResponse response;
    const grpc::Status status = stub->RegisterSchema(&context, request, &response);
    if (status.ok()) return response.schema().version();
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE) {
      throw std::runtime_error("RegisterSchema: " + status.error_message());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string TradesSchema(std::string_view more) {
  nlohmann::json schema = {
      {"type", "object"},
      {"properties",
       {{"ts", {{"type", "string"}, {"format", "date-time"}, {"x-tick-role", "event_time"}}},
        {"symbol", {{"type", "string"}, {"x-tick-role", "symbol"}}},
        {"price", {{"type", "number"}, {"exclusiveMinimum", 0}}},
        {"size", {{"type", "integer"}, {"minimum", 0}}}}},
      {"required", {"ts", "symbol", "price", "size"}}};
  if (!more.empty()) schema["properties"][std::string(more)] = {{"type", "number"}};
  return schema.dump();
}

}  // namespace tickmesh::testing
