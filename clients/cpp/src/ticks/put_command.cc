#include "ticks/put_command.h"

#include "tickmesh/status.h"

namespace tickmesh::internal {

namespace {

namespace pb = tickmesh::api::tickstore::v1;

pb::AcknowledgementLevel LevelOf(AcknowledgementLevel level) {
  return level == AcknowledgementLevel::kReceived ? pb::ACKNOWLEDGEMENT_LEVEL_RECEIVED
                                                  : pb::ACKNOWLEDGEMENT_LEVEL_DURABLE;
}

}  // namespace

pb::PutCommand UploadCommand(const std::string& subject, int version) {
  pb::PutCommand command;
  command.set_dataset(subject);
  if (version != 0) command.set_schema_version(version);
  command.set_acknowledgement_level(pb::ACKNOWLEDGEMENT_LEVEL_DURABLE);
  command.set_atomic(true);
  return command;
}

pb::PutCommand WriterCommand(const WriterOptions& options, const Producer& producer) {
  pb::PutCommand command;
  command.set_dataset(options.dataset);
  if (options.version != 0) command.set_schema_version(options.version);
  command.set_producer_id(producer.producer_id);
  command.set_producer_epoch(producer.epoch);
  command.set_acknowledgement_level(LevelOf(options.acknowledgement));
  command.set_on_behalf_of(options.on_behalf_of);
  return command;
}

arrow::Status Check(const WriterOptions& options) {
  if (options.dataset.empty()) return WrongArgument("dataset", "expected a name, was empty");
  if (options.version < 0) {
    return WrongArgument("version", "expected a version from 1, or 0 for the one in force; was " +
                                        std::to_string(options.version));
  }
  if (options.retry_time < std::chrono::milliseconds(0)) {
    return WrongArgument("retry_time", "expected a time from 0, was " +
                                           std::to_string(options.retry_time.count()) + " ms");
  }
  if (options.max_waiting_bytes <= 0) {
    return WrongArgument("max_waiting_bytes", "expected a positive number, was " +
                                                  std::to_string(options.max_waiting_bytes));
  }
  return arrow::Status::OK();
}

arrow::Status WrongArgument(const std::string& field, const std::string& description) {
  return MakeError(field + ": " + description, {.code = ErrorCode::kInvalidArgument,
                                                .reason = "INVALID_ARGUMENT",
                                                .violations = {{field, description}}});
}

}  // namespace tickmesh::internal
