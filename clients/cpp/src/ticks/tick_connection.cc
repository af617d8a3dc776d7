#include "ticks/tick_connection.h"

#include <utility>

#include <grpcpp/channel.h>

#include "wire/flight_channel.h"
#include "wire/grpc_channel.h"

namespace tickmesh::internal {

TickConnection::TickConnection(ConnectionOptions options) : options_(std::move(options)) {}

std::shared_ptr<TickConnection::Stub> TickConnection::stub() {
  const std::lock_guard lock(opening_);
  if (stub_ == nullptr) {
    stub_ =
        api::tickstore::v1::TickStoreService::NewStub(OpenChannel(options_.tickstore, options_));
  }
  return stub_;
}

arrow::Result<std::shared_ptr<arrow::flight::FlightClient>> TickConnection::flight(
    std::size_t place) {
  const std::lock_guard lock(opening_);
  auto& client = flights_[place];
  if (client == nullptr) {
    ARROW_ASSIGN_OR_RAISE(client, OpenFlight(options_.tickstore_flight, options_));
  }
  return client;
}

void TickConnection::ForgetFlights() {
  const std::lock_guard lock(opening_);
  flights_.clear();
}

}  // namespace tickmesh::internal
