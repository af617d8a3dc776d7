#include <chrono>
#include <string>

#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "tests/support/mesh.h"

namespace tickmesh {
namespace {

/// Whether a connection can be opened; the peer's answer to the first bytes decides.
bool Connects(const std::string& address) {
  grpc::ChannelArguments arguments;
  // A connection of its own: one that has just failed is not tried again at once.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  grpc_connectivity_state state = channel->GetState(true);
  const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(20);
  while (state != GRPC_CHANNEL_READY && state != GRPC_CHANNEL_TRANSIENT_FAILURE) {
    if (!channel->WaitForStateChange(state, deadline)) return false;
    state = channel->GetState(true);
  }
  return state == GRPC_CHANNEL_READY;
}

// Every other test here believes what this one checks.
TEST(DriverTest, AWireThatIsDownRefusesWhileTheServerIsUp) {
  const std::string straight = testing::ToServers().registry;
  const std::string through = testing::ThroughFaultyWires().registry;
  EXPECT_TRUE(Connects(straight));
  EXPECT_TRUE(Connects(through));
  testing::Break("registry down");
  EXPECT_TRUE(Connects(straight));
  EXPECT_FALSE(Connects(through));
  testing::Break("registry up");
  EXPECT_TRUE(Connects(through));
}

TEST(DriverTest, AWrongCommandIsAnError) {
  EXPECT_THROW(testing::Break("registry vanish"), std::runtime_error);
}

TEST(DriverTest, SubjectsStartAtVersionOne) {
  const std::string subject = testing::FreshSubject();
  EXPECT_EQ(testing::RegisterSchema(subject, testing::TradesSchema()), 1);
  EXPECT_EQ(testing::RegisterSchema(subject, testing::TradesSchema("fee")), 2);
}

}  // namespace
}  // namespace tickmesh
