#include "tickmesh/connection_options.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tickmesh/status.h"

namespace tickmesh {
namespace {

using ::testing::HasSubstr;

std::string Why(const ConnectionOptions& options) {
  const auto status = options.Validate();
  if (status.ok()) return "";
  EXPECT_EQ(ReasonOf(status), "CONFIG") << status;
  EXPECT_EQ(GetErrorDetails(status)->code, ErrorCode::kInvalidArgument);
  return status.message();
}

TEST(ConnectionOptionsTest, DefaultsAreValid) { EXPECT_EQ(Why({}), ""); }

TEST(ConnectionOptionsTest, AddressesAreHostAndPort) {
  for (const char* good : {"localhost:1", "[::1]:7470", "10.0.0.1:65535", "dns:///name:7470",
                           "10.0.0.1:7470,10.0.0.2:7470"}) {
    EXPECT_EQ(Why({.registry = good}), "") << good;
    EXPECT_EQ(Why({.tickstore = good}), "") << good;
  }
  for (const char* bad : {"", "localhost", ":7470", "h:", "h:0", "h:65536", "h:-1", "h:70a", "h:7 ",
                          "a:1,", ",a:1", "a:1,,b:2", "a:1,b"}) {
    EXPECT_THAT(Why({.registry = bad}), HasSubstr("registry")) << bad;
    EXPECT_THAT(Why({.tickstore = bad}), HasSubstr("tickstore")) << bad;
    EXPECT_THAT(Why({.tickstore_flight = bad}), HasSubstr("tickstore_flight")) << bad;
  }
  EXPECT_THAT(Why({.tickstore_flight = "a:1,b:2"}), HasSubstr("tickstore_flight"));
}

TEST(ConnectionOptionsTest, BoundsAreKept) {
  EXPECT_THAT(Why({.call_attempts = 0}), HasSubstr("call_attempts"));
  EXPECT_THAT(Why({.call_attempts = 6}), HasSubstr("call_attempts"));
  EXPECT_THAT(Why({.call_timeout = std::chrono::milliseconds(0)}), HasSubstr("call_timeout"));
}

TEST(ConnectionOptionsTest, ATokenNeverTravelsInPlainText) {
  ConnectionOptions options{.token = [] { return std::string("secret"); }};
  EXPECT_THAT(Why(options), HasSubstr("set tls"));
  options.tls = TlsOptions{};
  EXPECT_EQ(Why(options), "");
}

TEST(ConnectionOptionsTest, ACertificateComesWithItsKeyAndOneName) {
  EXPECT_THAT(Why({.tls = TlsOptions{.certificate_chain = "c"}}), HasSubstr("together"));
  EXPECT_THAT(Why({.tls = TlsOptions{.private_key = "k"}}), HasSubstr("together"));
  EXPECT_THAT(Why({.registry = "a:1,b:2", .tls = TlsOptions{}}), HasSubstr("dns:///"));
  EXPECT_THAT(Why({.tickstore = "a:1,b:2", .tls = TlsOptions{}}), HasSubstr("dns:///"));
}

/// Variables of one test, gone behind it.
class EnvironmentTest : public ::testing::Test {
 protected:
  ~EnvironmentTest() override {
    for (const auto& name : set_) unsetenv(name.c_str());
    for (const auto& path : files_) std::filesystem::remove(path);
  }

  void Set(const std::string& name, const std::string& value) {
    set_.push_back("TICKMESH_CLIENT__" + name);
    setenv(set_.back().c_str(), value.c_str(), 1);
  }

  std::string File(const std::string& content) {
    files_.push_back(
        std::filesystem::path(::testing::TempDir()) /
        ("connection_options_" + std::to_string(getpid()) + "_" + std::to_string(files_.size())));
    std::ofstream(files_.back(), std::ios::binary) << content;
    return files_.back().string();
  }

  static std::string Why() {
    const auto options = ConnectionOptions::FromEnvironment();
    EXPECT_EQ(ReasonOf(options.status()), "CONFIG") << options.status();
    return options.status().message();
  }

 private:
  std::vector<std::string> set_;
  std::vector<std::filesystem::path> files_;
};

TEST_F(EnvironmentTest, WhatIsNotSetKeepsItsDefault) {
  Set("REGISTRY", "");
  const auto options = ConnectionOptions::FromEnvironment().ValueOrDie();
  EXPECT_EQ(options.registry, ConnectionOptions().registry);
  EXPECT_EQ(options.tickstore_flight, ConnectionOptions().tickstore_flight);
  EXPECT_FALSE(options.tls);
  EXPECT_FALSE(options.token);
}

TEST_F(EnvironmentTest, EveryVariableIsRead) {
  Set("REGISTRY", "r:1");
  Set("TICKSTORE", "t:2");
  Set("TICKSTORE_FLIGHT", "f:3");
  Set("CALL_ATTEMPTS", "2");
  Set("TLS__ROOT_CERTIFICATES", File("roots"));
  Set("TLS__CERTIFICATE", File("chain"));
  Set("TLS__PRIVATE_KEY", File("key"));
  Set("TOKEN__FILE", File("secret\n"));
  const auto options = ConnectionOptions::FromEnvironment().ValueOrDie();
  EXPECT_EQ(options.registry, "r:1");
  EXPECT_EQ(options.tickstore, "t:2");
  EXPECT_EQ(options.tickstore_flight, "f:3");
  EXPECT_EQ(options.call_attempts, 2);
  EXPECT_EQ(options.tls->root_certificates, "roots");
  EXPECT_EQ(options.tls->certificate_chain, "chain");
  EXPECT_EQ(options.tls->private_key, "key");
  EXPECT_EQ(options.token(), "secret");
}

TEST_F(EnvironmentTest, AWrongNumberNamesItsVariable) {
  for (const char* wrong : {"six", "3x", " 3", "9"}) {
    Set("CALL_ATTEMPTS", wrong);
    EXPECT_THAT(Why(), ::testing::AnyOf(HasSubstr("CALL_ATTEMPTS"), HasSubstr("call_attempts")));
  }
}

TEST_F(EnvironmentTest, AFileThatIsNotThereIsNamed) {
  Set("TLS__ROOT_CERTIFICATES", "/nowhere/roots.pem");
  EXPECT_THAT(Why(), HasSubstr("/nowhere/roots.pem"));
}

TEST_F(EnvironmentTest, ADirectoryIsNoFile) {
  Set("TLS__ROOT_CERTIFICATES", ::testing::TempDir());
  EXPECT_THAT(Why(), HasSubstr(::testing::TempDir()));
}

TEST_F(EnvironmentTest, ACertificateNeedsRootsAndItsKey) {
  Set("TLS__CERTIFICATE", File("chain"));
  EXPECT_THAT(Why(), HasSubstr("TLS__ROOT_CERTIFICATES"));
  Set("TLS__ROOT_CERTIFICATES", File("roots"));
  EXPECT_THAT(Why(), HasSubstr("together"));
}

TEST_F(EnvironmentTest, AKeyAloneIsNotPassedOver) {
  Set("TLS__PRIVATE_KEY", File("key"));
  EXPECT_THAT(Why(), HasSubstr("TLS__ROOT_CERTIFICATES"));
}

TEST_F(EnvironmentTest, ATokenNeedsTls) {
  Set("TOKEN", "secret");
  EXPECT_THAT(Why(), HasSubstr("tls"));
}

}  // namespace
}  // namespace tickmesh
