#include "wire/cancellable_transport.h"

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "arrow/flight/client.h"
#include "arrow/flight/client_auth.h"
#include "arrow/flight/transport.h"
#include "arrow/util/uri.h"
#include "wire/call_handle.h"

namespace tickmesh::internal {

namespace {

namespace flight = arrow::flight;

constexpr std::string_view kPrefix = "tickmesh+";
constexpr std::string_view kPlain = "grpc";
constexpr std::string_view kTls = "grpc+tls";

/// Arrow's transport; everything but `DoPut` and `DoGet` goes straight through.
class CancellableTransport final : public flight::internal::ClientTransport {
 public:
  explicit CancellableTransport(std::unique_ptr<ClientTransport> inner)
      : inner_(std::move(inner)) {}

  arrow::Status Init(const flight::FlightClientOptions& options, const flight::Location& location,
                     const arrow::util::Uri& /*uri*/) override {
    const std::string own = location.ToString().substr(kPrefix.size());
    ARROW_ASSIGN_OR_RAISE(auto target, flight::Location::Parse(own));
    arrow::util::Uri uri;
    ARROW_RETURN_NOT_OK(uri.Parse(own));
    return inner_->Init(options, target, uri);
  }
  arrow::Status Close() override { return inner_->Close(); }

  arrow::Status Authenticate(const flight::FlightCallOptions& options,
                             std::unique_ptr<flight::ClientAuthHandler> handler) override {
    return inner_->Authenticate(options, std::move(handler));
  }
  arrow::Result<std::pair<std::string, std::string>> AuthenticateBasicToken(
      const flight::FlightCallOptions& options, const std::string& username,
      const std::string& password) override {
    return inner_->AuthenticateBasicToken(options, username, password);
  }
  arrow::Status DoAction(const flight::FlightCallOptions& options, const flight::Action& action,
                         std::unique_ptr<flight::ResultStream>* results) override {
    return inner_->DoAction(options, action, results);
  }
  arrow::Status ListActions(const flight::FlightCallOptions& options,
                            std::vector<flight::ActionType>* actions) override {
    return inner_->ListActions(options, actions);
  }
  arrow::Status GetFlightInfo(const flight::FlightCallOptions& options,
                              const flight::FlightDescriptor& descriptor,
                              std::unique_ptr<flight::FlightInfo>* info) override {
    return inner_->GetFlightInfo(options, descriptor, info);
  }
  void GetFlightInfoAsync(
      const flight::FlightCallOptions& options, const flight::FlightDescriptor& descriptor,
      std::shared_ptr<flight::AsyncListener<flight::FlightInfo>> listener) override {
    inner_->GetFlightInfoAsync(options, descriptor, std::move(listener));
  }
  arrow::Status PollFlightInfo(const flight::FlightCallOptions& options,
                               const flight::FlightDescriptor& descriptor,
                               std::unique_ptr<flight::PollInfo>* info) override {
    return inner_->PollFlightInfo(options, descriptor, info);
  }
  arrow::Result<std::unique_ptr<flight::SchemaResult>> GetSchema(
      const flight::FlightCallOptions& options,
      const flight::FlightDescriptor& descriptor) override {
    return inner_->GetSchema(options, descriptor);
  }
  arrow::Status ListFlights(const flight::FlightCallOptions& options,
                            const flight::Criteria& criteria,
                            std::unique_ptr<flight::FlightListing>* listing) override {
    return inner_->ListFlights(options, criteria, listing);
  }
  arrow::Status DoGet(const flight::FlightCallOptions& options, const flight::Ticket& ticket,
                      std::unique_ptr<flight::internal::ClientDataStream>* stream) override {
    ARROW_RETURN_NOT_OK(inner_->DoGet(options, ticket, stream));
    *stream = CallHandle::Bind(std::move(*stream));
    return arrow::Status::OK();
  }
  arrow::Status DoPut(const flight::FlightCallOptions& options,
                      std::unique_ptr<flight::internal::ClientDataStream>* stream) override {
    ARROW_RETURN_NOT_OK(inner_->DoPut(options, stream));
    *stream = CallHandle::Bind(std::move(*stream));
    return arrow::Status::OK();
  }
  arrow::Status DoExchange(const flight::FlightCallOptions& options,
                           std::unique_ptr<flight::internal::ClientDataStream>* stream) override {
    return inner_->DoExchange(options, stream);
  }
  arrow::Status CheckAsyncSupport() const override { return inner_->CheckAsyncSupport(); }

 private:
  std::unique_ptr<ClientTransport> inner_;
};

void Register(std::string_view scheme) {
  auto* registry = flight::internal::GetDefaultTransportRegistry();
  const auto make = [registry, name = std::string(scheme)]()
      -> arrow::Result<std::unique_ptr<flight::internal::ClientTransport>> {
    ARROW_ASSIGN_OR_RAISE(auto inner, registry->MakeClient(name));
    return std::make_unique<CancellableTransport>(std::move(inner));
  };
  // Fails only where it is there already: by another copy of this library, which does the same.
  (void)registry->RegisterClient(std::string(kPrefix) + std::string(scheme), make);
}

}  // namespace

std::string CancellableUri(const std::string& address, bool with_tls) {
  static const bool registered = [] {
    Register(kPlain);
    Register(kTls);
    return true;
  }();
  (void)registered;
  return std::string(kPrefix) + std::string(with_tls ? kTls : kPlain) + "://" + address;
}

}  // namespace tickmesh::internal
