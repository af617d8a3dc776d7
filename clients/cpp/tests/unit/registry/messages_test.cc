#include "registry/messages.h"

#include <string>

#include "arrow/api.h"
#include "arrow/ipc/api.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/registry/wire_messages.h"

namespace tickmesh::internal {
namespace {

arrow::Result<SchemaPointer> ReadPlainly(const wire::SchemaVersion& message) {
  return Held(SchemaFromWire(message));
}

TEST(RegistryMessagesTest, AVersionKeepsEverythingTheRegistrySaysOfIt) {
  const auto fields = arrow::schema({arrow::field("price", arrow::float64())});
  wire::SchemaVersion message;
  message.set_subject("ticks.trades");
  message.set_version(3);
  message.set_state(wire::VERSION_STATE_DEPRECATED);
  message.set_action(wire::ACTION_BREAKING_CHANGE);
  message.set_arrow_schema(arrow::ipc::SerializeSchema(*fields).ValueOrDie()->ToString());
  message.mutable_effective_from()->set_seconds(1);
  message.mutable_effective_from()->set_nanos(7);
  (*message.mutable_labels())["desk"] = "rates";
  message.mutable_data_report()->set_rows_checked(10);
  message.mutable_data_report()->mutable_made_at()->set_seconds(2);
  message.mutable_data_report()->add_reasons()->set_reason("minimum");

  const RegisteredSchema schema = SchemaFromWire(message);
  EXPECT_EQ(schema.version, 3);
  EXPECT_EQ(VersionStateName(schema.state), "deprecated");
  EXPECT_EQ(RegistrationActionName(schema.action), "breaking_change");
  EXPECT_EQ(schema.effective_from_ns, 1'000'000'007);
  EXPECT_EQ(schema.labels.at("desk"), "rates");
  ASSERT_NE(schema.arrow_schema, nullptr);
  EXPECT_TRUE(schema.arrow_schema->Equals(*fields, /*check_metadata=*/true));
  ASSERT_TRUE(schema.data_report);
  EXPECT_EQ(schema.data_report->made_at_ns, 2'000'000'000);
  EXPECT_EQ(schema.data_report->reasons[0].reason, "minimum");
}

TEST(RegistryMessagesTest, AVersionFromAPeerThatSendsNonsenseIsStillAValue) {
  wire::SchemaVersion message;
  message.set_state(static_cast<wire::VersionState>(99));
  message.set_action(static_cast<wire::Action>(-1));
  message.set_arrow_schema(std::string(40, '\xff'));
  message.mutable_registered_at()->set_seconds(INT64_MAX);
  message.mutable_registered_at()->set_nanos(INT32_MIN);
  const RegisteredSchema schema = SchemaFromWire(message);
  EXPECT_EQ(schema.state, VersionState::kUnknown);
  EXPECT_FALSE(IsLive(schema.state));
  EXPECT_EQ(RegistrationActionName(schema.action), "unknown");
  EXPECT_EQ(schema.arrow_schema, nullptr);
}

TEST(RegistryMessagesTest, AChangeTellsWhatItMeansFromWhatToWhat) {
  wire::ChangeEvent message;
  message.set_revision(9);
  message.set_kind(wire::CHANGE_KIND_VERSION_REGISTERED);
  message.set_subject("ticks.trades");
  message.mutable_schema()->set_version(2);
  message.mutable_schema()->set_action(wire::ACTION_BREAKING_CHANGE);
  message.mutable_previous()->set_version(1);
  auto* comparison = message.mutable_report()->add_comparisons();
  message.mutable_report()->set_verdict(wire::VERDICT_INCOMPATIBLE);
  message.mutable_report()->set_mode(wire::COMPATIBILITY_MODE_BACKWARD_TRANSITIVE);
  message.mutable_report()->set_policy(wire::COMPATIBILITY_POLICY_CONFLUENT_STRICT);
  comparison->set_version(1);
  comparison->set_direction(wire::COMPATIBILITY_MODE_BACKWARD);
  comparison->add_changes()->set_witness("{\"price\": 1}");

  const auto event = EventFromWire(message, ReadPlainly).ValueOrDie();
  const auto change = ChangeFromEvent(event);
  ASSERT_TRUE(change);
  EXPECT_EQ(ChangeActionName(change->action), "breaking_change");
  EXPECT_EQ(change->old_schema->version, 1);
  EXPECT_EQ(change->new_schema->version, 2);
  ASSERT_TRUE(change->report);
  EXPECT_EQ(VerdictName(change->report->verdict), "incompatible");
  EXPECT_EQ(change->report->mode, "BACKWARD_TRANSITIVE");
  EXPECT_EQ(change->report->policy, "confluent-strict");
  ASSERT_EQ(change->report->changes.size(), 1u);
  EXPECT_EQ(change->report->changes[0].direction, "BACKWARD");
  EXPECT_EQ(change->report->changes[0].witness, "{\"price\": 1}");
}

TEST(RegistryMessagesTest, SettingsAndKindsOfALaterRegistryAreEventsButNoChangesOfASubject) {
  wire::ChangeEvent message;
  message.set_kind(wire::CHANGE_KIND_POLICY_CHANGED);
  message.mutable_settings()->set_undecided(wire::UNDECIDED_POLICY_WARN);
  const auto event = EventFromWire(message, ReadPlainly).ValueOrDie();
  EXPECT_EQ(event.settings->undecided, "warn");
  EXPECT_FALSE(ChangeFromEvent(event));
  message.set_kind(static_cast<wire::ChangeKind>(77));
  const auto unknown = EventFromWire(message, ReadPlainly).ValueOrDie();
  EXPECT_EQ(ChangeKindName(unknown.kind), "unknown");
  EXPECT_FALSE(ChangeFromEvent(unknown));
}

TEST(RegistryMessagesTest, AWatchAsksForWhatItsOptionsSayATokenFirst) {
  WatchOptions options{.subjects = {"a", "b"},
                       .kinds = {ChangeKind::kRegistrationRejected},
                       .labels = {{"desk", "rates"}},
                       .verdicts = {Verdict::kUndecided},
                       .progress_interval = std::chrono::milliseconds(1500)};
  wire::WatchRequest request = WatchRequestOf(options);
  EXPECT_TRUE(request.has_now());
  EXPECT_THAT(request.filter().subjects(), ::testing::ElementsAre("a", "b"));
  EXPECT_THAT(request.filter().kinds(),
              ::testing::ElementsAre(wire::CHANGE_KIND_REGISTRATION_REJECTED));
  EXPECT_EQ(request.filter().labels().at("desk"), "rates");
  EXPECT_EQ(request.progress_interval().nanos(), 500'000'000);
  options.begin = WatchBegin::kSnapshot;
  EXPECT_TRUE(WatchRequestOf(options).has_snapshot());
  options.after_revision = 0;
  EXPECT_TRUE(WatchRequestOf(options).has_after_revision());
  options.after_token = "e:7";
  EXPECT_EQ(WatchRequestOf(options).after_token(), "e:7");
}

}  // namespace
}  // namespace tickmesh::internal
