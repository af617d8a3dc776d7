#include "tests/support/hostile_store.h"

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tickmesh/api/tickstore/v1/tick_store_service.grpc.pb.h"

#include "arrow/flight/types.h"
#include "grpcpp/grpcpp.h"

namespace tickmesh::testing {

namespace flight = arrow::flight;
namespace pb = api::tickstore::v1;

namespace {

constexpr const char* kAuthorization = "authorization";
constexpr std::chrono::seconds kGrace{5};

}  // namespace

/// What came, from the threads of both planes.
class HostileStore::Calls {
 public:
  template <typename Headers>
  void Remember(const std::string& name, const Headers& headers) {
    const auto found = headers.find(kAuthorization);
    const std::string value =
        found == headers.end() ? "" : std::string(found->second.data(), found->second.size());
    const std::lock_guard lock(mutex_);
    authorizations_.push_back(name + " " + value);
  }

  std::vector<std::string> authorizations() const {
    const std::lock_guard lock(mutex_);
    return authorizations_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> authorizations_;
};

class HostileStore::DataPlane final : public flight::FlightServerBase {
 public:
  DataPlane(Hostility hostility, Calls* calls) : hostility_(std::move(hostility)), calls_(calls) {
    const TlsOptions& own = hostility_.certificate;
    const bool plain = own.private_key.empty();
    const auto here = plain ? flight::Location::ForGrpcTcp("127.0.0.1", 0)
                            : flight::Location::ForGrpcTls("127.0.0.1", 0);
    flight::FlightServerOptions options(here.ValueOrDie());
    if (!plain) options.tls_certificates = {{own.certificate_chain, own.private_key}};
    if (const auto started = Init(options); !started.ok()) {
      throw std::runtime_error(started.ToString());
    }
  }

  arrow::Status GetFlightInfo(const flight::ServerCallContext& context,
                              const flight::FlightDescriptor& /*request*/,
                              std::unique_ptr<flight::FlightInfo>* info) override {
    calls_->Remember("GetFlightInfo", context.incoming_headers());
    ARROW_ASSIGN_OR_RAISE(auto plan, hostility_.plan());
    *info = std::make_unique<flight::FlightInfo>(std::move(plan));
    return arrow::Status::OK();
  }
  arrow::Status DoGet(const flight::ServerCallContext& context, const flight::Ticket& request,
                      std::unique_ptr<flight::FlightDataStream>* stream) override {
    calls_->Remember("DoGet", context.incoming_headers());
    return hostility_.get(request.ticket).Value(stream);
  }
  arrow::Status DoPut(const flight::ServerCallContext& context,
                      std::unique_ptr<flight::FlightMessageReader> messages,
                      std::unique_ptr<flight::FlightMetadataWriter> answers) override {
    calls_->Remember("DoPut", context.incoming_headers());
    return hostility_.put(messages.get(), answers.get());
  }
  arrow::Status DoExchange(const flight::ServerCallContext& context,
                           std::unique_ptr<flight::FlightMessageReader> reader,
                           std::unique_ptr<flight::FlightMessageWriter> writer) override {
    calls_->Remember("DoExchange", context.incoming_headers());
    return hostility_.exchange(reader.get(), writer.get());
  }

 private:
  const Hostility hostility_;
  Calls* calls_;
};

class HostileStore::ControlPlane final : public pb::TickStoreService::Service {
 public:
  ControlPlane(const TlsOptions& own, Calls* calls) : calls_(calls) {
    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    if (!own.private_key.empty()) {
      grpc::SslServerCredentialsOptions tls;
      tls.pem_key_cert_pairs = {{own.private_key, own.certificate_chain}};
      credentials = grpc::SslServerCredentials(tls);
    }
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~ControlPlane() override { server_->Shutdown(); }

  grpc::Status OpenProducer(grpc::ServerContext* context,
                            const pb::OpenProducerRequest* /*request*/,
                            pb::OpenProducerResponse* answer) override {
    calls_->Remember("OpenProducer", context->client_metadata());
    answer->mutable_producer()->set_producer_epoch(1);
    return grpc::Status::OK;
  }

  int port() const { return port_; }

 private:
  Calls* calls_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

HostileStore::HostileStore(Hostility hostility)
    : calls_(std::make_unique<Calls>()),
      data_plane_(std::make_unique<DataPlane>(hostility, calls_.get())),
      control_plane_(std::make_unique<ControlPlane>(hostility.certificate, calls_.get())) {}

HostileStore::~HostileStore() {
  const auto deadline = std::chrono::system_clock::now() + kGrace;
  if (!data_plane_->Shutdown(&deadline).ok()) std::terminate();
}

ConnectionOptions HostileStore::Here() const {
  return {.tickstore = "127.0.0.1:" + std::to_string(control_plane_->port()),
          .tickstore_flight = "127.0.0.1:" + std::to_string(data_plane_->port())};
}

std::vector<std::string> HostileStore::authorizations() const { return calls_->authorizations(); }

arrow::Status StoreError(int code, const std::string& reason, const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("tickmesh");
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  status.add_details()->PackFrom(info);
  return flight::MakeFlightError(flight::FlightStatusCode::Failed, message,
                                 status.SerializeAsString());
}

}  // namespace tickmesh::testing
