#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "arrow/api.h"
#include "arrow/flight/types.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/hostile_store.h"
#include "tests/support/mesh.h"
#include "tests/support/trades.h"
#include "tickmesh/status.h"
#include "tickmesh/tick_client.h"

namespace tickmesh {
namespace {

namespace flight = arrow::flight;

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::HostileStore;
using testing::StoreError;
using testing::Trades;

/// The server's own, issued by the authority that clients of `WithTls` trust.
TlsOptions ServerCertificate() {
  return TlsOptions::FromFiles(testing::FromDriver("TLS_ROOT_CERTIFICATES"),
                               testing::FromDriver("TLS_SERVER_CERTIFICATE"),
                               testing::FromDriver("TLS_SERVER_PRIVATE_KEY"))
      .ValueOrDie();
}

arrow::Status Refused() { return StoreError(7, "PERMISSION_DENIED", "This token may not."); }

TEST(TlsTickTokenTest, EachCallOfBothPlanesCarriesTheTokenOfItsTime) {
  const HostileStore store(
      {.plan =
           [] {
             return flight::FlightInfo::Make(*Trades(0)->schema(), flight::FlightDescriptor(),
                                             {{flight::Ticket{"0"}, {}, std::nullopt, ""}}, -1, -1);
           },
       .get = [](const auto& /*ticket*/)
           -> arrow::Result<std::unique_ptr<flight::FlightDataStream>> { return Refused(); },
       .put = [](auto*, auto*) { return Refused(); },
       .exchange = [](auto*, auto*) { return Refused(); },
       .certificate = ServerCertificate()});
  std::atomic<int> renewed = 0;
  ConnectionOptions options = store.Here();
  options.tls = testing::WithTls().tls;
  options.token = [&renewed] { return "token-" + std::to_string(++renewed); };
  const auto client = TickClient::Connect(options).ValueOrDie();

  EXPECT_EQ(ReasonOf(client->Put("ticks.trades", *testing::TradesTable(1, 1)).status()),
            "PERMISSION_DENIED");
  EXPECT_EQ(ReasonOf(client->Read({.dataset = "ticks.trades"}).status()), "PERMISSION_DENIED");
  const auto tail = client->Tail({.dataset = "ticks.trades"}).ValueOrDie();
  EXPECT_EQ(ReasonOf(tail->Next(30s).status()), "PERMISSION_DENIED");
  const auto writer = client->OpenWriter({.dataset = "ticks.trades"}).ValueOrDie();
  ASSERT_TRUE(writer->Put(Trades(1)).ok());
  EXPECT_EQ(ReasonOf(writer->Flush(30s).status()), "PERMISSION_DENIED");

  EXPECT_THAT(store.authorizations(),
              ElementsAre("DoPut Bearer token-1", "GetFlightInfo Bearer token-2",
                          "DoGet Bearer token-3", "DoExchange Bearer token-4",
                          "OpenProducer Bearer token-5", "DoPut Bearer token-6"));
}

}  // namespace
}  // namespace tickmesh
