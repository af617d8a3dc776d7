#include "wire/grpc_channel.h"

#include <functional>
#include <map>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "nlohmann/json.hpp"
#include "wire/channel_limits.h"
#include "wire/request_id.h"

namespace tickmesh::internal {

namespace {

constexpr const char* kRegistryService = "tickmesh.api.registry.v1.SchemaRegistryService";
constexpr const char* kTickStoreService = "tickmesh.api.tickstore.v1.TickStoreService";

/// Asks for the token of each call.
class TokenPlugin final : public grpc::MetadataCredentialsPlugin {
 public:
  explicit TokenPlugin(std::function<std::string()> token) : token_(std::move(token)) {}

  grpc::Status GetMetadata(grpc::string_ref /*service_url*/, grpc::string_ref /*method_name*/,
                           const grpc::AuthContext& /*channel_auth_context*/,
                           std::multimap<grpc::string, grpc::string>* metadata) override {
    metadata->emplace("authorization", "Bearer " + token_());
    return grpc::Status::OK;
  }

 private:
  std::function<std::string()> token_;
};

std::string ServiceConfig(const std::string& balancing, int call_attempts) {
  nlohmann::json config;
  config["loadBalancingConfig"] = {{{balancing, nlohmann::json::object()}}};
  if (call_attempts > 1) {
    config["methodConfig"] = {
        // Resumed by the watch itself: gRPC's retry of a stream whose server was killed can hang.
        {{"name", {{{"service", kRegistryService}, {"method", "Watch"}}}}},
        {{"name", {{{"service", kRegistryService}}, {{"service", kTickStoreService}}}},
         {"retryPolicy",
          {{"maxAttempts", call_attempts},
           {"initialBackoff", "0.1s"},
           {"maxBackoff", "1s"},
           {"backoffMultiplier", 2.5},
           {"retryableStatusCodes", {"UNAVAILABLE"}}}}},
    };
  }
  return config.dump();
}

bool NamesSeveral(const std::string& address) { return address.find(',') != std::string::npos; }

/// What gRPC connects to.
std::string Target(const std::string& address) {
  if (!NamesSeveral(address)) return address;
  return (address.front() == '[' ? "ipv6:" : "ipv4:") + address;
}

grpc::ChannelArguments Arguments(const std::string& address, int call_attempts) {
  const bool spread = NamesSeveral(address) || address.starts_with("dns:");
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  arguments.SetMaxSendMessageSize(kMaxRequestBytes);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kInitialReconnectBackoffMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectBackoffMs);
  // A new channel is a new connection: otherwise it would share the one that is being left.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (call_attempts == 1) arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetServiceConfigJSON(
      ServiceConfig(spread ? "round_robin" : "pick_first", call_attempts));
  return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const ConnectionOptions& options) {
  if (!options.tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = options.tls->root_certificates;
  ssl.pem_cert_chain = options.tls->certificate_chain;
  ssl.pem_private_key = options.tls->private_key;
  auto channel = grpc::SslCredentials(ssl);
  if (!options.token) return channel;
  return grpc::CompositeChannelCredentials(
      channel, grpc::MetadataCredentialsFromPlugin(std::make_unique<TokenPlugin>(options.token)));
}

}  // namespace

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const ConnectionOptions& options) {
  return grpc::CreateCustomChannel(Target(address), Credentials(options),
                                   Arguments(address, options.call_attempts));
}

void PrepareCall(grpc::ClientContext* context, std::chrono::milliseconds timeout) {
  PrepareStream(context);
  context->set_deadline(std::chrono::system_clock::now() + timeout);
}

void PrepareStream(grpc::ClientContext* context) {
  context->AddMetadata(kRequestIdHeader, NewRequestId());
}

}  // namespace tickmesh::internal
