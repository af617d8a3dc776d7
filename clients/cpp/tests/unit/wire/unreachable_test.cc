#include "wire/unreachable.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tickmesh::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(UnreachableTest, TheLastLayerOfAFailedConnectionIsWhatWentWrong) {
  const auto why = WhyUnreachable(
      "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to "
      "connect "
      "to remote host: Connection refused",
      "127.0.0.1:1");
  EXPECT_EQ(why.reason, "UNREACHABLE");
  EXPECT_EQ(why.message, "no answer from 127.0.0.1:1: Connection refused");
}

TEST(UnreachableTest, AConnectionThatBrokeIsToldAsItIs) {
  EXPECT_THAT(WhyUnreachable("Socket closed", "h:1").message, HasSubstr("h:1: Socket closed"));
  EXPECT_EQ(WhyUnreachable("Socket closed", "h:1").reason, "UNREACHABLE");
  EXPECT_THAT(WhyUnreachable("", "").message, HasSubstr("the server: the connection is closed"));
}

TEST(UnreachableTest, AFailedHandshakeNamesTheSettingToLookAt) {
  struct Case {
    const char* text;
    const char* named;
  };
  for (const Case& each : {
           Case{"failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:5: Ssl "
                "handshake failed: SSL_ERROR_SSL: error:1000007d:SSL "
                "routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED",
                "tls.root_certificates"},
           Case{"Hostname Verification Check failed.", "tls.root_certificates"},
           Case{"SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER", "plain text"},
           Case{"failed to connect to all addresses; last error: UNAVAILABLE: ipv4:1.2.3.4:5: "
                "Socket closed",
                "tls.certificate_chain"},
       }) {
    const auto why = WhyUnreachable(each.text, "h:1");
    EXPECT_EQ(why.reason, "TLS_HANDSHAKE_FAILED") << each.text;
    EXPECT_THAT(why.message, HasSubstr(each.named));
    EXPECT_THAT(why.message, Not(HasSubstr("OPENSSL")));
  }
}

}  // namespace
}  // namespace tickmesh::internal
