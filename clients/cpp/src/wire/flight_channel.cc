#include "wire/flight_channel.h"

#include <functional>
#include <utility>

#include "arrow/flight/client_middleware.h"
#include "arrow/flight/middleware.h"
#include "wire/cancellable_transport.h"
#include "wire/channel_limits.h"
#include "wire/request_id.h"
#include "wire/status_conversion.h"

namespace tickmesh::internal {

namespace {

namespace flight = arrow::flight;

class TokenMiddleware final : public flight::ClientMiddleware {
 public:
  explicit TokenMiddleware(std::string token) : token_(std::move(token)) {}

  void SendingHeaders(flight::AddCallHeaders* headers) override {
    headers->AddHeader("authorization", "Bearer " + token_);
  }
  void ReceivedHeaders(const flight::CallHeaders& /*headers*/) override {}
  void CallCompleted(const arrow::Status& /*status*/) override {}

 private:
  std::string token_;
};

/// Asks for the token of each call.
class TokenMiddlewareFactory final : public flight::ClientMiddlewareFactory {
 public:
  explicit TokenMiddlewareFactory(std::function<std::string()> token) : token_(std::move(token)) {}

  void StartCall(const flight::CallInfo& /*info*/,
                 std::unique_ptr<flight::ClientMiddleware>* middleware) override {
    *middleware = std::make_unique<TokenMiddleware>(token_());
  }

 private:
  std::function<std::string()> token_;
};

}  // namespace

arrow::Result<std::unique_ptr<flight::FlightClient>> OpenFlight(const std::string& address,
                                                                const ConnectionOptions& options) {
  auto settings = flight::FlightClientOptions::Defaults();
  settings.generic_options = {
      {"grpc.max_metadata_size", kMaxMetadataBytes},
      {"grpc.keepalive_time_ms", kKeepaliveMs},
      {"grpc.keepalive_timeout_ms", kKeepaliveTimeoutMs},
      {"grpc.http2.max_pings_without_data", 0},
      {"grpc.initial_reconnect_backoff_ms", kInitialReconnectBackoffMs},
      {"grpc.max_reconnect_backoff_ms", kMaxReconnectBackoffMs},
      // gRPC's name for it: an attempt to connect lasts at least so long.
      {"grpc.min_reconnect_backoff_ms", kConnectTimeoutMs},
      {"grpc.use_local_subchannel_pool", 1},
  };
  if (options.tls) {
    settings.tls_root_certs = options.tls->root_certificates;
    settings.cert_chain = options.tls->certificate_chain;
    settings.private_key = options.tls->private_key;
  }
  if (options.token) {
    settings.middleware.push_back(std::make_shared<TokenMiddlewareFactory>(options.token));
  }
  const std::string uri = CancellableUri(address, options.tls.has_value());
  auto opened = [&]() -> arrow::Result<std::unique_ptr<flight::FlightClient>> {
    ARROW_ASSIGN_OR_RAISE(auto location, flight::Location::Parse(uri));
    return flight::FlightClient::Connect(location, settings);
  }();
  if (!opened.ok()) return FromFlight(opened.status(), address);
  return opened;
}

flight::FlightCallOptions FlightCall(std::optional<std::chrono::milliseconds> timeout) {
  flight::FlightCallOptions options;
  if (timeout) options.timeout = std::chrono::duration<double>(*timeout);
  options.headers.emplace_back(kRequestIdHeader, NewRequestId());
  return options;
}

}  // namespace tickmesh::internal
